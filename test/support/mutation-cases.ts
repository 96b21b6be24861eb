import { readFileSync } from 'node:fs';
import { getNamedType, isObjectType } from 'graphql';
import type { TestApp } from './app.ts';
import { rootFields, schema, statedPermission } from './schema-cases.ts';
import { upload } from './upload.ts';

const document = readFileSync(new URL('../fixtures/petstore.yaml', import.meta.url), 'utf8');

/** Makes objects for the inputs of mutations, with the admin key. */
class Fixtures {
  readonly app: TestApp;

  constructor(app: TestApp) {
    this.app = app;
  }

  /** A thread with a question and its answer; no run is active. */
  async thread(): Promise<{ threadId: string; messageId: string; answerId: string; runId: string }> {
    const { client } = this.app;
    const { id: threadId } = await client.createThread({ messages: [{ text: 'hello' }] });
    const run = await client.run({ threadId });
    await client.finished(run.id);
    const query = 'query($id: ID!) { thread(id: $id) { messages(orderBy: { direction: ASC }) { nodes { id } } } }';
    const { thread } = await client.data(query, { id: threadId });
    const [question, answer] = thread.messages.nodes;
    return { threadId, messageId: question.id, answerId: answer.id, runId: run.id };
  }

  /** A run that waits for the output of a function. */
  async waiting(): Promise<{ runId: string; toolCallId: string }> {
    const { client } = this.app;
    const run = await client.ask('please look_up', { tools: [{ function: { name: 'look_up' } }] });
    const { requiredAction } = await client.finished(run.id, 'requiredAction { toolCalls { id } }');
    return { runId: run.id, toolCallId: requiredAction.toolCalls[0].id };
  }

  async assistant(): Promise<string> {
    return (await this.app.client.createAssistant({ name: 'A', tools: [{ function: { name: 'look_up' } }] })).id;
  }

  plugin = () => ({ name: 'Pets', source: { openapi: { document } }, serverUrl: 'https://pets.example.com/v1' });

  async pluginId(): Promise<string> {
    return (await this.app.client.mutate('registerPlugin', this.plugin(), 'plugin { id }')).plugin.id;
  }

  async workspace(): Promise<string> {
    return (await this.app.client.mutate('createWorkspace', { name: 'W' }, 'workspace { id }')).workspace.id;
  }

  async key(): Promise<string> {
    return (await this.app.client.createKey({ scopes: ['WORKSPACE_ADMIN'] })).id;
  }

  async file(): Promise<string> {
    return (await upload(this.app.client, 'x', 'x.txt')).id;
  }
}

/** For each mutation, an input that it accepts. It makes the objects that the input names. */
const inputs: Record<string, (make: Fixtures) => object | Promise<object>> = {
  createAssistant: () => ({ name: 'A', tools: [{ function: { name: 'look_up' } }] }),
  updateAssistant: async (make) => ({ id: await make.assistant(), name: 'B' }),
  deleteAssistant: async (make) => ({ id: await make.assistant() }),
  registerPlugin: (make) => make.plugin(),
  updatePlugin: async (make) => ({ id: await make.pluginId(), name: 'B' }),
  refreshPlugin: async (make) => ({ id: await make.pluginId() }),
  deletePlugin: async (make) => ({ id: await make.pluginId() }),
  createThread: async (make) => ({ title: 'T', assistantId: await make.assistant(), messages: [{ text: 'hello' }] }),
  updateThread: async (make) => ({ id: (await make.thread()).threadId, title: 'T' }),
  deleteThread: async (make) => ({ id: (await make.thread()).threadId }),
  forkThread: async (make) => ({ throughMessageId: (await make.thread()).messageId }),
  createMessage: async (make) => ({ threadId: (await make.thread()).threadId, message: { text: 'hello' } }),
  editMessage: async (make) => ({ id: (await make.thread()).messageId, text: 'hello' }),
  updateMessage: async (make) => ({ id: (await make.thread()).messageId, metadata: { a: 'b' } }),
  setMessageFeedback: async (make) => ({ messageId: (await make.thread()).answerId, rating: 'UP' }),
  markThreadRead: async (make) => ({ threadId: (await make.thread()).threadId }),
  pinThread: async (make) => ({ threadId: (await make.thread()).threadId, pinned: true }),
  deleteMessage: async (make) => ({ id: (await make.thread()).messageId }),
  uploadFile: () => ({ file: new File(['x'], 'x.txt') }),
  deleteFile: async (make) => ({ id: await make.file() }),
  createRun: async (make) => ({ threadId: (await make.thread()).threadId, assistantId: await make.assistant() }),
  regenerate: async (make) => ({ threadId: (await make.thread()).threadId }),
  submitToolOutputs: async (make) => {
    const { runId, toolCallId } = await make.waiting();
    return { runId, outputs: [{ toolCallId, output: 'x' }] };
  },
  cancelRun: async (make) => ({ id: (await make.waiting()).runId }),
  updateRun: async (make) => ({ id: (await make.thread()).runId, metadata: { a: 'b' } }),
  createWorkspace: () => ({ name: 'W' }),
  updateWorkspace: () => ({ name: 'W' }),
  deleteWorkspace: async (make) => ({ id: await make.workspace() }),
  createApiKey: () => ({ name: 'K', scopes: ['WORKSPACE_ADMIN'] }),
  updateApiKey: async (make) => ({ id: await make.key(), name: 'L' }),
  rotateApiKey: async (make) => ({ id: await make.key() }),
  revokeApiKey: async (make) => ({ id: await make.key() }),
  createSessionToken: () => ({ userId: 'alice', scopes: ['THREADS_READ'] }),
  rotateSigningKey: () => ({}),
};

/** An input that a mutation accepts. Throws for a mutation that has none here. */
export async function inputOf(app: TestApp, mutation: string): Promise<object> {
  const make = inputs[mutation];
  if (!make) throw new Error(`add an input of ${mutation} to test/support/mutation-cases.ts`);
  return make(new Fixtures(app));
}

/** The scopes that a mutation requires, which a key with exactly its scopes has. */
export const scopesOf = (mutation: string): string[] => {
  const field = rootFields.mutation.find(({ name }) => name === mutation);
  return statedPermission(field?.description) ?? [];
};

/** A field of a payload: the selection that reads it, and the scopes that the schema states for it. */
export interface PayloadField {
  selection: string;
  /** The type and the name of the innermost field that requires scopes. */
  type: string;
  field: string;
  scopes: string[];
}

/** The fields of the payload of a mutation: of the payload, of its objects, and of theirs. */
export function payloadFields(mutation: string): PayloadField[] {
  const payload = schema.getType(`${mutation[0]?.toUpperCase()}${mutation.slice(1)}Payload`);
  return isObjectType(payload) ? fieldsOf(payload.name, 2) : [];
}

function fieldsOf(name: string, depth: number): PayloadField[] {
  const type = schema.getType(name);
  if (!isObjectType(type)) return [];
  return Object.values(type.getFields()).flatMap((field): PayloadField[] => {
    const own = statedPermission(field.description);
    const ofType = field.name === 'id' ? [] : (statedPermission(type.description) ?? []);
    const here = { type: name, field: field.name, scopes: own ?? ofType };
    const inner = getNamedType(field.type);
    if (!('getFields' in inner) && !('getTypes' in inner)) return [{ ...here, selection: field.name }];
    // A list is read, whatever of it is selected.
    const ofList = inner.name.endsWith('Connection') ? (statedPermission(inner.description) ?? []) : [];
    const scopes = [...here.scopes, ...ofList];
    const bare = { ...here, scopes, selection: `${field.name} { __typename }` };
    if (!isObjectType(inner) || depth === 0) return [bare];
    const deeper = fieldsOf(inner.name, depth - 1).map((one) => ({
      ...one,
      selection: `${field.name} { ${one.selection} }`,
      scopes: [...new Set([...here.scopes, ...one.scopes])],
    }));
    return [bare, ...deeper];
  });
}
