import { afterEach, describe, expect, test } from 'vitest';
import type { Client } from '../support/client.ts';
import { inputOf, payloadFields, scopesOf } from '../support/mutation-cases.ts';
import { rootFields } from '../support/schema-cases.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();
const mutations = rootFields.mutation.map(({ name }) => [name] as const);
const typeOf = (mutation: string) => `${mutation[0]?.toUpperCase()}${mutation.slice(1)}Payload`;

/** The rows that mutations change, as text. */
async function rows(): Promise<string> {
  const { database } = app.app.services;
  const tables = await Promise.all([
    database.workspace.findMany(),
    database.assistant.findMany(),
    database.plugin.findMany(),
    database.thread.findMany(),
    database.message.findMany(),
    database.run.findMany(),
    database.apiKey.findMany({ omit: { lastUsedAt: true } }),
    database.apiKeySecret.findMany(),
    database.signingKey.findMany(),
    database.file.findMany({ select: { id: true, name: true } }),
  ]);
  return JSON.stringify(tables.map((table) => table.map((row) => JSON.stringify(row)).sort()));
}

/** The rows that the background still changes: runs that are executed, and what is deleted and not purged yet. */
async function unsettled(): Promise<number> {
  const { database } = app.app.services;
  const deleted = { where: { deletedAt: { not: null } } };
  const counts = await Promise.all([
    database.run.count({ where: { status: { in: ['QUEUED', 'IN_PROGRESS'] } } }),
    database.thread.count(deleted),
    database.workspace.count(deleted),
  ]);
  return counts.reduce((sum, count) => sum + count, 0);
}

/** Waits until only mutations change rows. */
const settled = () => expect.poll(unsettled, { timeout: 10_000 }).toBe(0);

afterEach(settled);

const keyFor = async (mutation: string): Promise<Client> => {
  const scopes = scopesOf(mutation);
  // A key needs a scope to exist; tokens have those of their key.
  return (await app.client.createKey({ scopes: scopes.length > 0 ? scopes : ['THREADS_READ'] })).client;
};

/** The scopes of the key of a mutation. */
const scopesOfKey = (mutation: string) => {
  const scopes = scopesOf(mutation);
  return scopes.length > 0 ? scopes : ['THREADS_READ'];
};

/** A fragment for each selection, because equal response keys would have to be merged. */
const joined = (selections: string[]) => selections.map((selection) => `... { ${selection} }`).join(' ');

describe('a key with exactly the scopes of a mutation', () => {
  test.each(mutations)(
    '%s: is refused before anything changes, if it selects what it may not read',
    async (mutation) => {
      const client = await keyFor(mutation);
      const fields = payloadFields(mutation);
      const closed = fields.filter(({ scopes }) => scopes.some((scope) => !scopesOfKey(mutation).includes(scope)));
      const input = await inputOf(app, mutation);
      await settled();
      const before = await rows();
      for (const { selection, scopes } of closed) {
        const result = await client.mutate(mutation, input, selection);
        expect([selection, result.__typename]).toEqual([selection, 'ForbiddenError']);
        const missing = scopes.filter((scope) => !scopesOfKey(mutation).includes(scope));
        expect(missing.some((scope) => result.refusal.includes(scope))).toBe(true);
        expect(result.refusal).toContain('Nothing was changed');
      }
      expect(await rows()).toBe(before);
      const open = fields.filter((field) => !closed.includes(field));
      const done = await client.mutate(mutation, input, joined(open.map(({ selection }) => selection)));
      expect([done.refusal, done.__typename]).toEqual([undefined, typeOf(mutation)]);
    },
  );
});

test.each(mutations)('%s: the admin key reads every field of the payload', async (mutation) => {
  const fields = payloadFields(mutation).map(({ selection }) => selection);
  // The limit of the cost allows about a hundred of them together.
  const parts = Map.groupBy(fields, (field) => fields.indexOf(field) % 2);
  for (const part of parts.values()) {
    const input = await inputOf(app, mutation);
    const done = await app.client.mutate(mutation, input, joined(part));
    expect(done).toMatchObject({ __typename: typeOf(mutation) });
  }
});

test('createRun and regenerate answer the thread as it is', async () => {
  const thread =
    'thread { id title metadata createdAt lastActiveAt archivedAt owner eventCursor messages { totalCount } }';
  const input = { thread: { title: 'Mine', owner: 'alice', metadata: { a: 'b' }, messages: [{ text: 'hello' }] } };
  const made = await app.client.mutate('createRun', input, `run { id } ${thread}`);
  expect(made.thread).toMatchObject({ title: 'Mine', owner: 'alice', metadata: { a: 'b' }, archivedAt: null });
  expect(made.thread.eventCursor).toEqual(expect.any(String));
  await app.client.finished(made.run.id);
  const again = await app.client.mutate('regenerate', { threadId: made.thread.id }, thread);
  expect(again.thread).toMatchObject({ title: 'Mine', owner: 'alice', metadata: { a: 'b' } });
});

test('createRun reads the thread only where more than its id is selected', async () => {
  const input = { threadId: (await app.client.createThread()).id };
  const reads = (selection: string) =>
    app.statements(
      () => app.client.mutate('createRun', input, selection),
      (sql) => /^SELECT .*"title".* FROM .*"Thread"/s.test(sql),
    );
  expect(await reads('run { id } thread { __typename id }')).toEqual([]);
  expect(await reads('run { id } thread { title metadata }')).toHaveLength(1);
});

describe('arguments in the selection of a mutation', () => {
  test.each([
    ['a page that is too large', 'messages(first: 101) { totalCount }'],
    ['a cursor of another list', 'messages(after: "nonsense") { nodes { id } }'],
    ['a filter that is no id', 'messages(filter: { runId: "nonsense" }) { nodes { id } }'],
    ['two sizes, in a list within', 'runs { nodes { id messages(first: 1, last: 1) { nodes { id } } } }'],
  ])('are refused before anything changes: %s', async (_title, list) => {
    const before = await rows();
    const made = await app.client.mutate('createThread', { messages: [{ text: 'hello' }] }, `thread { id ${list} }`);
    expect(made).toMatchObject({ __typename: 'InvalidInputError', issues: [expect.anything()] });
    expect(await rows()).toBe(before);
  });
});

describe('the fields of a mutation that are refused', () => {
  const write = async () => (await app.client.createKey({ scopes: ['RUNS_WRITE', 'THREADS_WRITE'] })).client;
  const send = async (client: Client, selection: string, fragments = '', variables: object = {}) => {
    const flag = selection.includes('$with') ? ', $with: Boolean = false' : '';
    const query = `mutation($input: CreateRunInput!${flag}) {
      createRun(input: $input) { __typename ${selection} ... on Error { message } } } ${fragments}`;
    return client.send(query, { input: { thread: {} }, ...variables });
  };

  test.each([
    ['in an inline fragment', '... on CreateRunPayload { thread { ... on Node { ... on Thread { title } } } }', ''],
    ['under an alias', '... on CreateRunPayload { t: thread { x: title } }', ''],
    [
      'in a named fragment',
      '...P',
      'fragment P on CreateRunPayload { ...Q } fragment Q on CreateRunPayload { thread { title } }',
    ],
    ['of an error', '... on ThreadBusyError { activeRun { status } }', ''],
    ['that are deferred', '... on CreateRunPayload { ... @defer { thread { title } } }', ''],
    ['that @skip leaves in', '... on CreateRunPayload { thread { id title @skip(if: $with) } }', ''],
  ])('are found %s', async (_title, selection, fragments) => {
    const { data } = await send(await write(), selection, fragments);
    expect(data.createRun.__typename).toBe('ForbiddenError');
  });

  test('are not those that a directive leaves out', async () => {
    const selection = '... on CreateRunPayload { run { id } thread { id title @include(if: $with) } }';
    const client = await write();
    expect((await send(client, selection)).data.createRun.__typename).toBe('CreateRunPayload');
    expect((await send(client, selection, '', { with: true })).data.createRun.__typename).toBe('ForbiddenError');
  });
});
