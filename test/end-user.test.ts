import {
  getNamedType,
  getNullableType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isObjectType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AnyEvent, type Client, until } from './support/client.ts';
import { type EchoServer, startEchoServer } from './support/echo-server.ts';
import { accessOf, endUserFields } from './support/end-user-fields.ts';
import { operationFor, rootFields, schema, selectionOf } from './support/schema-cases.ts';
import { useApp } from './support/use-app.ts';

/** What no end user may read, although the model does. */
const mark = 'SYSTEM-PROMPT-SECRET';
const overrides = ['MODEL', 'INSTRUCTIONS', 'TOOLS', 'LIMITS', 'SYSTEM_MESSAGES'];
const app = useApp({ environment: { PLUGIN_HOSTS: '127.0.0.1' } });
let remote: EchoServer;
/** One to whom nothing is open, one to whom everything is, and for each override one who has it alone. */
let closed: Client;
let open: Client;
let alone: Record<string, Client>;
/** Objects in threads of Alice, who is each of these users. The first run belongs to `assistant`, which has the mark. */
let ids: Record<string, string>;
/** A plugin that only `assistant` has, one that no assistant has, and an assistant without tools. */
let unused: string;
let plain: string;

const documentOf = (name: string) =>
  JSON.stringify({
    openapi: '3.1.0',
    info: { title: mark, version: '1', description: mark },
    paths: { [`/${name}`]: { post: { operationId: name, summary: mark, responses: { 200: { description: 'ok' } } } } },
  });

async function registerPlugin(name: string): Promise<string> {
  const input = {
    name: `${mark} ${name}`,
    description: mark,
    source: { openapi: { document: documentOf(name) } },
    serverUrl: remote.url,
    auth: { bearer: { token: 'WORKSPACE-SECRET' } },
  };
  return (await app.client.mutate('registerPlugin', input, 'plugin { id }')).plugin.id;
}

beforeAll(async () => {
  remote = await startEchoServer();
  const [plugin, other] = [await registerPlugin('refund'), await registerPlugin('wipe')];
  unused = other;
  const format = { jsonSchema: { name: 'x', description: mark, schema: { type: 'object' } } };
  const assistant = await app.client.createAssistant({
    name: 'Support',
    instructions: mark,
    responseFormat: format,
    tools: [{ plugin: { pluginId: plugin } }, { function: { name: 'look_up', description: mark } }],
  });
  plain = (await app.client.createAssistant({ name: 'Plain' })).id;
  closed = await app.client.asUser('alice');
  open = await app.client.as('alice');
  alone = Object.fromEntries(
    await Promise.all(
      overrides.map(async (name) => [name, await app.client.asUser('alice', { overrides: [name] })] as const),
    ),
  );
  const run = await closed.ask('please refund {}', { assistantId: assistant.id });
  await closed.finished(run.id);
  const { thread } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { messages { nodes { id } } runs { nodes { steps { nodes { id } } } } } }',
    { id: run.thread.id },
  );
  const file = await closed.mutate('uploadFile', { file: new File(['x'], 'x.txt') }, 'file { id }');
  const workspace = (await closed.data('{ workspace { id } }')).workspace.id;
  ids = {
    Assistant: assistant.id,
    Plugin: plugin,
    Run: run.id,
    Thread: run.thread.id,
    Message: thread.messages.nodes[0].id,
    Step: thread.runs.nodes[0].steps.nodes[0].id,
    File: file.file.id,
    Workspace: workspace,
  };
});
afterAll(() => remote.close());

test('the table knows every field that the schema has, and no other', () => {
  const inSchema = Object.values(schema.getTypeMap()).flatMap((type) => {
    const hasFields = isObjectType(type) || isInterfaceType(type) || isInputObjectType(type);
    if (!hasFields || type.name.startsWith('__')) return [];
    if (endUserFields.has(`${type.name}.*`)) return [`${type.name}.*`];
    return Object.keys(type.getFields()).map((field) => `${type.name}.${field}`);
  });
  expect([...endUserFields.keys()].sort()).toEqual(inSchema.sort());
});

const codesOf = ({ errors = [] }: { errors?: Array<{ extensions: { code: string } }> }) =>
  errors.map(({ extensions }) => extensions.code);

/** The fields of nodes, each with the smallest selection that reads it. */
const nodeFields = ['Assistant', 'Plugin', 'Run', 'Thread', 'Message', 'Step', 'File', 'Workspace'].flatMap((name) => {
  const type = schema.getType(name);
  if (!isObjectType(type)) throw new Error(`${name} is no type`);
  return Object.values(type.getFields()).map((field) => {
    const inner = getNamedType(field.type);
    const hasNodes = isObjectType(inner) && inner.name.endsWith('Connection');
    const selection = isLeafType(inner) ? '' : hasNodes ? '{ totalCount }' : '{ __typename }';
    const deep = name === 'Workspace' && field.name === 'settings' ? '{ defaultModel }' : selection;
    return [`${name}.${field.name}`, name, field.name, deep] as const;
  });
});

describe('an end user reads exactly what the table opens', () => {
  test.each(nodeFields)('%s', async (_title, type, field, selection) => {
    const read = async (user: Client) => {
      const query = `query($id: ID!) { node(id: $id) { ... on ${type} { ${field} ${selection} } } }`;
      return codesOf(await user.send(query, { id: ids[type] })).length === 0;
    };
    const access = accessOf(type, field) ?? 'missing';
    // A node of a closed type is not found by its id either.
    const isHiddenNode = type === 'Plugin' && field === 'id';
    expect(await read(closed)).toBe(access === 'OPEN' && !isHiddenNode);
    if (access === 'OPEN' && !isHiddenNode) return;
    expect(await read(open)).toBe(access !== 'NEVER');
    for (const name of overrides) {
      const isOpened = access === name || (isHiddenNode && name === 'TOOLS');
      expect([name, await read(alone[name] as Client)]).toEqual([name, isOpened]);
    }
  });

  test('and the description of each field that is not open to all says so', () => {
    for (const [path, access] of endUserFields) {
      const [name = '', field = ''] = path.split('.');
      const type = schema.getType(name);
      if (!isObjectType(type) && !isInputObjectType(type)) continue;
      if (access === 'OPEN' || field === '*' || ['Query', 'Mutation', 'Workspace'].includes(name)) continue;
      const own = type.getFields()[field]?.description ?? '';
      const words = access === 'NEVER' ? 'End users cannot' : `only with the override ${access}`;
      expect(`${own} ${type.description}`).toContain(words);
    }
  });
});

const schemaOfAnswer = { jsonSchema: { name: 'x', schema: { type: 'object' } } };
/** A value for each field of the input of a run that an end user can set; a function: of the ids. */
const runValues: Record<string, unknown> = {
  additionalInstructions: 'Be rude.',
  instructions: 'Be rude.',
  // With the message of the thread that the user has.
  editMessage: { text: 'again' },
  idempotencyKey: 'mine',
  assistantId: () => ids.Assistant,
  maxCompletionTokens: 5,
  maxPromptTokens: 5000,
  maxSteps: 3,
  messages: [{ text: 'hello' }],
  metadata: { by: 'alice' },
  model: 'demo',
  parallelToolCalls: false,
  providerOptions: { enable_search: true },
  reasoningEffort: 'LOW',
  seed: 7,
  stop: ['END'],
  topK: 40,
  pluginTokens: () => [{ pluginId: ids.Plugin, token: 'mine' }],
  responseFormat: schemaOfAnswer,
  temperature: 0.5,
  thread: { messages: [{ text: 'hello' }] },
  threadId: () => ids.Thread,
  toolChoice: { mode: 'NONE' },
  tools: () => [{ plugin: { pluginId: unused } }],
  topP: 0.5,
  truncation: { strategy: 'LAST_MESSAGES', lastMessages: 2 },
  whenBusy: 'ENQUEUE',
};

const inputFields = ['CreateRunInput', 'RegenerateInput'].flatMap((name) => {
  const type = schema.getType(name);
  if (!isInputObjectType(type)) throw new Error(`${name} is no input`);
  return Object.keys(type.getFields()).map((field) => [`${name}.${field}`, name, field] as const);
});

/** The input that edits the message of a new thread of the user. */
async function editOf(user: Client, value: object) {
  const created = await user.mutate(
    'createThread',
    { assistantId: plain, messages: [{ text: 'hello' }] },
    'thread { id lastMessage { id } }',
  );
  const { id: threadId, lastMessage } = created.thread;
  return { assistantId: plain, threadId, editMessage: { ...value, id: lastMessage.id } };
}

describe('an end user chooses exactly what the table opens', () => {
  test.each(inputFields)('%s', async (_title, type, field) => {
    const mutation = type === 'CreateRunInput' ? 'createRun' : 'regenerate';
    const given = runValues[field];
    const value = typeof given === 'function' ? given() : given;
    expect(value, `a value for ${field}`).toBeDefined();
    const choose = async (user: Client) => {
      const base =
        mutation === 'regenerate'
          ? { threadId: (await user.createThread({ assistantId: plain, messages: [{ text: 'hello' }] })).id }
          : field === 'threadId'
            ? { assistantId: plain }
            : { assistantId: plain, thread: { messages: [{ text: 'hello' }] } };
      const input =
        field === 'threadId' && mutation === 'regenerate'
          ? base
          : field === 'editMessage'
            ? await editOf(user, value)
            : { ...base, [field]: value };
      const before = await counts();
      const result = await user.mutate(mutation, input, 'run { id }');
      if (result.__typename === 'ForbiddenError') expect(await counts()).toEqual(before);
      return result.__typename;
    };
    const access = accessOf(type, field) ?? 'missing';
    const payload = `${type.replace('Input', '')}Payload`;
    expect(await choose(closed)).toBe(access === 'OPEN' ? payload : 'ForbiddenError');
    if (access === 'OPEN') return;
    expect(await choose(open)).toBe(payload);
    for (const name of overrides) {
      const expected = access === name ? payload : 'ForbiddenError';
      expect([name, await choose(alone[name] as Client)]).toEqual([name, expected]);
    }
  });

  test('and a refusal names the override and how the operator opens it', async () => {
    const query = `mutation($input: CreateRunInput!) { createRun(input: $input) {
      ... on ForbiddenError { requiredOverride requiredScope message } } }`;
    const input = { assistantId: plain, thread: {}, tools: [{ plugin: { pluginId: unused } }] };
    const { createRun } = await closed.data(query, { input });
    expect(createRun).toEqual({
      requiredOverride: 'TOOLS',
      requiredScope: null,
      message:
        "End users may not choose the `tools` of a run. To open it, add TOOLS to `overrides` in the input of createSessionToken, or in the workspace's settings at `endUsers.overrides`.",
    });
  });

  test('and may send the default values of the schema', async () => {
    const input = {
      maxSteps: 20,
      parallelToolCalls: true,
      toolChoice: { mode: 'AUTO' },
      truncation: { strategy: 'AUTO' },
    };
    await closed.ask('hello', { assistantId: plain, ...input });
  });
});

/** The rows of threads, runs and messages; answers are left out, which earlier runs may still write. */
async function counts() {
  const { database } = app.app.services;
  return [
    await database.run.count(),
    await database.thread.count(),
    await database.message.count({ where: { runId: null } }),
  ];
}

/** Every list of strings that a filter can ask for, in a field of Query. */
const searches = rootFields.query.flatMap((field) => {
  const filter = field.args.find(({ name }) => name === 'filter')?.type;
  const type = filter && getNullableType(filter);
  if (!isInputObjectType(type)) return [];
  return Object.values(type.getFields())
    .filter((input) => !isListType(getNullableType(input.type)) && getNamedType(input.type).name === 'String')
    .map((input) => [`${field.name}(filter: ${input.name})`, field.name, input.name] as const);
});

describe('nothing that an end user can read contains the prompt, the tools or the plugins of an assistant', () => {
  const isOpen = (type: string, field: string) => accessOf(type, field) === 'OPEN';

  test.each(rootFields.query.map((field) => [field.name, field] as const))('%s', async (_name, field) => {
    const takesId = field.args.some(({ type }) => getNamedType(type).name === 'ID');
    for (const id of Object.values(ids).slice(0, takesId ? undefined : 1)) {
      for (const includes of [isOpen, () => true]) {
        const { query, variables } = operationFor('query', field, id, 3, includes);
        expect(JSON.stringify(await closed.send(query, variables))).not.toContain(mark);
      }
    }
  });

  test.each(searches)('%s finds nothing by it', async (_title, field, input) => {
    const query = `query($filter: ${field[0]?.toUpperCase()}${field.slice(1, -1)}Filter) { ${field}(filter: $filter) { totalCount } }`;
    const { data } = await closed.send(query, { filter: { [input]: mark } });
    expect(data?.[field]?.totalCount ?? 0).toBe(0);
  });

  test.each(['runEvents', 'threadEvents'])('%s', async (name) => {
    const { id } = await closed.createThread({ assistantId: ids.Assistant, messages: [{ text: 'please look_up' }] });
    const { thread } = await closed.data('query($id: ID!) { thread(id: $id) { eventCursor } }', { id });
    const run = await closed.run({ threadId: id, messages: [{ text: 'please look_up' }] });
    await closed.finished(run.id);
    await closed.mutate('cancelRun', { id: run.id }, 'run { id }');
    const field = rootFields.subscription.find((one) => one.name === name);
    if (!field) throw new Error(`no subscription ${name}`);
    const variables = name === 'runEvents' ? { id: run.id } : { id, after: thread.eventCursor };
    const argument = name === 'runEvents' ? 'runId' : 'threadId';
    const query = `subscription($id: ID!, $after: String) {
      ${name}(${argument}: $id, after: $after) ${selectionOf(field.type, 3, isOpen)} }`;
    const isLast = (event: AnyEvent) => Object.values(event).includes('CANCELLED');
    const seen = await until(closed.subscribe(query, variables, name), isLast);
    expect(seen.map(({ __typename }) => __typename)).toContain('StepStarted');
    expect(JSON.stringify(seen)).not.toContain(mark);
  });

  test('the payloads and errors of createRun', async () => {
    const query = `mutation($input: CreateRunInput!) { createRun(input: $input) {
      ... on CreateRunPayload { run { instructions } } ... on Error { code message } } }`;
    const before = await counts();
    const { createRun } = await closed.data(query, { input: { assistantId: ids.Assistant, thread: {} } });
    expect(createRun).toMatchObject({ code: 'FORBIDDEN', message: expect.stringContaining('`Run.instructions`') });
    expect(await counts()).toEqual(before);
  });
});

describe('a plugin is called', () => {
  const heard = () => remote.heard.map(({ url }) => url);

  test('by an assistant that has it, with the secret of the workspace', async () => {
    expect(remote.heard).toContainEqual(
      expect.objectContaining({
        url: '/refund',
        headers: expect.objectContaining({ authorization: 'Bearer WORKSPACE-SECRET' }),
      }),
    );
  });

  test('by no run of an end user that no assistant gave it to', async () => {
    const before = heard();
    // A back end made a run with the plugin, in a thread of Alice.
    const given = await app.client.ask('hello', {
      thread: { owner: 'alice', messages: [{ text: 'hello' }] },
      assistantId: plain,
      instructions: mark,
      tools: [{ plugin: { pluginId: unused } }],
    });
    await app.client.finished(given.id);
    const { thread } = await closed.data('query($id: ID!) { thread(id: $id) { messages { nodes { id role } } } }', {
      id: given.thread.id,
    });
    const question = thread.messages.nodes.find(({ role }: { role: string }) => role === 'USER');
    await closed.mutate('editMessage', { id: question.id, text: 'please wipe {}' }, 'threadMessage { id }');
    const again = await closed.mutate('regenerate', { threadId: given.thread.id }, 'run { id }');
    await closed.finished(again.run.id);
    const { run } = await app.client.data('query($id: ID!) { run(id: $id) { instructions tools { __typename } } }', {
      id: again.run.id,
    });
    expect(run).toEqual({ instructions: null, tools: [] });
    const direct = { assistantId: plain, tools: [{ plugin: { pluginId: unused } }] };
    const refused = await closed.mutate('createRun', { thread: {}, ...direct }, 'run { id }');
    expect(refused.__typename).toBe('ForbiddenError');
    expect(heard()).toEqual(before);
  });
});
