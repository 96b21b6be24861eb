import { getNamedType, isObjectType } from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '../support/client.ts';
import { operationFor, rootFields, schema, statedPermission } from '../support/schema-cases.ts';
import { upload } from '../support/upload.ts';
import { useApp } from '../support/use-app.ts';

const scopes = schema.getType('Scope') as unknown as { getValues(): Array<{ name: string }> };
const allScopes = scopes.getValues().map(({ name }) => name);
const userScopes = ['ASSISTANTS_READ', 'THREADS_READ', 'THREADS_WRITE', 'RUNS_READ', 'RUNS_WRITE'];

const app = useApp();
/** For each scope, a key that has all the others. */
let without: Record<string, Client>;
let user: Client;
let ids: Record<string, string>;

beforeAll(async () => {
  const key = async (scope: string) => {
    const others = allScopes.filter((other) => other !== scope);
    return [scope, (await app.client.createKey({ scopes: others })).client] as const;
  };
  without = Object.fromEntries(await Promise.all(allScopes.map(key)));
  user = await app.client.as('alice');
  const file = await upload(app.client, 'x', 'x.txt');
  const fileIds = [file.id];
  const assistant = await app.client.createAssistant({ tools: [{ function: { name: 'look_up' } }], fileIds });
  const run = await app.client.ask('', {
    thread: { owner: 'alice', messages: [{ text: 'please look_up' }] },
    assistantId: assistant.id,
  });
  await app.client.finished(run.id);
  const { thread } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { messages { nodes { id } } runs { nodes { steps { nodes { id } } } } } }',
    { id: run.thread.id },
  );
  ids = {
    Assistant: assistant.id,
    Thread: run.thread.id,
    Run: run.id,
    Message: thread.messages.nodes[0].id,
    Step: thread.runs.nodes[0].steps.nodes[0].id,
  };
});

const everyRootField = Object.entries(rootFields).flatMap(([kind, fields]) =>
  fields.map((field) => [`${kind} ${field.name}`, kind as keyof typeof rootFields, field] as const),
);

/** The scopes named by the refusals in a response. */
async function refusedFor(client: Client, kind: keyof typeof rootFields, field: (typeof everyRootField)[number][2]) {
  const id = 'ws_01h455vb4pex5vsknk084sn02q';
  const { query, variables } = operationFor(kind, field, id, kind === 'mutation' ? 1 : 0);
  if (kind === 'subscription') {
    const [error] = await client
      .subscribe(query, variables, field.name)
      .next()
      .then(
        () => [],
        (thrown) => thrown.errors ?? thrown,
      );
    return error?.extensions.code === 'FORBIDDEN' ? [error.extensions.requiredScope] : [];
  }
  const { data, errors = [] } = await client.send(query, variables);
  const result = data?.[field.name];
  const refusal =
    result?.__typename === 'ForbiddenError'
      ? [Object.entries(result).find(([name]) => name.endsWith('requiredScope'))?.[1]]
      : [];
  const coded = errors.filter(({ extensions }) => extensions.code === 'FORBIDDEN');
  return [...refusal, ...coded.map(({ extensions }) => (extensions as { requiredScope?: string }).requiredScope)];
}

describe('each root field states its permission in the schema and checks exactly that', () => {
  test.each(everyRootField)('%s', async (_name, kind, field) => {
    const permission = statedPermission(field.description);
    expect(permission, 'its description ends with its permission, such as "Requires no scope."').not.toBeNull();
    for (const scope of allScopes) {
      const refused = await refusedFor(without[scope] as Client, kind, field);
      expect([scope, refused]).toEqual([scope, permission?.includes(scope) ? [scope] : []]);
    }
    const isForUsers =
      permission?.every((scope) => userScopes.includes(scope)) && !/Requires an API key/.test(field.description ?? '');
    expect((await refusedFor(user, kind, field)).length).toBe(isForUsers ? 0 : 1);
  });
});

/** Every field that leads from an object to one that requires another scope. */
const bridges = Object.values(schema.getTypeMap()).flatMap((type) => {
  if (!isObjectType(type) || !(type.name in { Assistant: 1, Thread: 1, Run: 1, Message: 1, Step: 1 })) return [];
  return Object.values(type.getFields()).flatMap((field) => {
    const target = getNamedType(field.type);
    const [scope] = isObjectType(target) ? (statedPermission(target.description) ?? []) : [];
    const own = statedPermission(type.description) ?? [];
    return scope && !own.includes(scope)
      ? [[`${type.name}.${field.name}`, type, field.name, target, scope] as const]
      : [];
  });
});

describe('an object reached through another one still requires its own permission', () => {
  test.each(bridges)('%s', async (_name, type, field, target, scope) => {
    if (!isObjectType(target)) throw new Error('a bridge leads to an object');
    const leaf = Object.values(target.getFields()).find(({ name, args, type: inner }) => {
      const named = getNamedType(inner);
      return (
        name !== 'id' && args.length === 0 && !isObjectType(named) && !('getTypes' in named) && !('getFields' in named)
      );
    });
    const selection = leaf?.name ?? 'nodes { id }';
    const ask = (words: string) =>
      (without[scope] as Client).send(
        `query($id: ID!) { node(id: $id) { ... on ${type.name} { ${field} { ${words} } } } }`,
        {
          id: ids[type.name],
        },
      );
    const { data, errors } = await ask(selection);
    // A null object has no fields to refuse.
    if (errors)
      expect(
        errors.map(({ extensions }) => [extensions.code, (extensions as { requiredScope?: string }).requiredScope]),
      ).toEqual([['FORBIDDEN', scope]]);
    else expect(data.node[field]).toBeNull();
    if ('id' in target.getFields()) expect((await ask('id')).errors).toBeUndefined();
  });
});

test('a write-only key reads the ids of the objects it creates, and nothing else', async () => {
  const { client } = await app.client.createKey({ scopes: ['THREADS_WRITE', 'RUNS_WRITE'] });
  const input = { thread: { messages: [{ text: 'hello' }] } };
  const made = await client.mutate('createRun', input, 'run { id } thread { id }');
  expect(made).toMatchObject({
    run: { id: expect.stringMatching(/^run_/) },
    thread: { id: expect.stringMatching(/^thread_/) },
  });
  const refused = await client.mutate('createRun', input, 'thread { lastMessage { text } }');
  expect(refused).toMatchObject({
    code: 'FORBIDDEN',
    refusal: expect.stringContaining('`lastMessage` of Thread'),
  });
});
