import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { bindToWorkspace, UnscopedQueryError } from '../src/db/client.ts';
import { Client } from './support/client.ts';
import { type OperationKind, operationFor, type RootField, rootFields } from './support/schema-cases.ts';
import { fastTiming } from './support/timing.ts';
import { upload } from './support/upload.ts';
import { useApp } from './support/use-app.ts';

const minimal = JSON.stringify({
  openapi: '3.1.0',
  info: { title: 'x', version: '1' },
  paths: { '/a': { get: { responses: { 200: { description: 'x' } } } } },
});
// The number of statements must not depend on the age of a cached credential.
const credential = { ...fastTiming.credential, cacheMs: 600_000 };
const app = useApp({ config: { timing: { ...fastTiming, credential } } });
/** Clients that may not see the objects in `ids`. */
let strangers: Record<'key' | 'user', Client>;
/** Invalid credentials, and the code that refuses each. */
let worthless: Record<string, { client: Client; code: string }>;
/** One id of each kind in the default workspace; thread data belongs to Alice. */
let ids: Record<string, string>;
/** All rows that strangers must not change, as JSON. */
let before: string;

const kinds = [
  'workspace',
  'assistant',
  'thread',
  'run',
  'message',
  'step',
  'toolCall',
  'apiKey',
  'file',
  'plugin',
  'unknown',
];
/** Values that only clients with access to Alice's thread may see. */
const secrets = () => [
  ...['thread', 'run', 'message', 'step', 'toolCall', 'file'].map((kind) => ids[kind] as string),
  'please look_up',
  'diary.txt',
  'alice',
];
/** Values that only the workspace may see. */
const secretsOfWorkspace = () =>
  [...secrets(), ids.workspace, ids.assistant, ids.apiKey, ids.plugin, 'Secret', 'Head office'] as string[];

beforeAll(async () => {
  const { client } = app;
  const { workspace } = await client.mutate('createWorkspace', { name: 'Elsewhere' }, 'workspace { id }');
  await client.mutate('updateWorkspace', { name: 'Head office' }, 'workspace { id }');
  const scopes = ['ASSISTANTS_READ', 'ASSISTANTS_WRITE', 'THREADS_READ', 'THREADS_WRITE', 'RUNS_READ', 'RUNS_WRITE'];
  const assistant = await client.createAssistant({ name: 'Secret', tools: [{ function: { name: 'look_up' } }] });
  const file = await upload(await client.as('alice'), 'Dear diary', 'diary.txt');
  const { plugin } = await client.mutate(
    'registerPlugin',
    { name: 'Secret interface', source: { openapi: { document: minimal } }, serverUrl: 'https://secret.example.com' },
    'plugin { id }',
  );
  const run = await client.ask('', {
    thread: { owner: 'alice', messages: [{ text: 'please look_up', fileIds: [file.id] }], fileIds: [file.id] },
    assistantId: assistant.id,
    metadata: { secret: 'yes' },
  });
  await client.finished(run.id);
  const { run: found, viewer } = await client.data(
    'query($id: ID!) { viewer { apiKey { id } workspace { id } } run(id: $id) { steps { nodes { id toolCalls { id } } } thread { messages { nodes { id } } } } }',
    { id: run.id },
  );
  ids = {
    workspace: viewer.workspace.id,
    assistant: assistant.id,
    thread: run.thread.id,
    run: run.id,
    message: found.thread.messages.nodes[0].id,
    step: found.steps.nodes[0].id,
    toolCall: found.steps.nodes[0].toolCalls[0].id,
    apiKey: viewer.apiKey.id,
    file: file.id,
    plugin: plugin.id,
    unknown: 'thread_01h455vb4pex5vsknk084sn02q',
  };
  const foreign = await app.in(workspace.id).createKey({ scopes: [...scopes, 'WORKSPACE_ADMIN'] });
  strangers = { key: foreign.client, user: await client.as('mallory') };
  worthless = await makeWorthless(scopes, foreign.secret);
  before = await everything();
});

async function makeWorthless(scopes: string[], foreign: string): Promise<typeof worthless> {
  const { client, url } = app;
  const unauthenticated = (key: string) => ({ client: new Client(url, key), code: 'UNAUTHENTICATED' });
  const soon = new Date(Date.now() + 1000);
  const expiring = await client.createKey({ scopes, expiresAt: soon });
  const revoked = await client.createKey({ scopes });
  const rotated = await client.createKey({ scopes });
  const tokenOfRevoked = await revoked.client.as('alice');
  const expiringToken = await client.as('alice', { ttlSeconds: 1 });
  const good = await client.as('mallory');
  await client.mutate('revokeApiKey', { id: revoked.id }, 'apiKey { id }');
  await client.mutate('rotateApiKey', { id: rotated.id, graceSeconds: 0 }, 'secret');
  const [head, body, signature] = good.key.split('.') as [string, string, string];
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const typo = `${client.key.slice(0, -1)}${client.key.endsWith('a') ? 'b' : 'a'}`;
  await setTimeout(soon.getTime() + 50 - Date.now());
  return {
    'no key': unauthenticated(''),
    'an expired key': unauthenticated(expiring.secret),
    'a revoked key': unauthenticated(revoked.secret),
    'a rotated key': unauthenticated(rotated.secret),
    'a mistyped key': unauthenticated(typo),
    'a made-up key': unauthenticated('ag_made-up'),
    'an expired token': unauthenticated(expiringToken.key),
    'a token of a revoked key': unauthenticated(tokenOfRevoked.key),
    'a token with another user in it': unauthenticated(`${head}.${encoded({ ...claims, sub: 'alice' })}.${signature}`),
    'a token without a signature': unauthenticated(`${encoded({ alg: 'none', typ: 'session+jwt' })}.${body}.`),
    'a foreign key that names the workspace': { client: new Client(url, foreign, ids.workspace), code: 'FORBIDDEN' },
    'a user who names another workspace': {
      client: new Client(url, good.key, 'ws_01h455vb4pex5vsknk084sn02q'),
      code: 'FORBIDDEN',
    },
  };
}

/** All rows of the default workspace, except Mallory's. */
async function everything(): Promise<string> {
  const { database } = app.app.services;
  const where = { workspace: { isDefault: true } };
  return JSON.stringify([
    await database.workspace.findMany({ where: { isDefault: true } }),
    await database.assistant.findMany({ where }),
    await database.thread.findMany({
      where: { ...where, OR: [{ owner: null }, { owner: { not: 'mallory' } }] },
      include: {
        messages: true,
        events: { orderBy: { seq: 'asc' } },
        runs: { include: { steps: { include: { toolCalls: true } } } },
      },
    }),
    await database.apiKey.findMany({
      where,
      orderBy: { id: 'asc' },
      include: { secrets: true, otherWorkspaces: true },
      omit: { lastUsedAt: true },
    }),
    await database.signingKey.findMany(),
    await database.plugin.findMany({ where }),
    await database.file.findMany({
      where: { blob: where, OR: [{ owner: null }, { owner: { not: 'mallory' } }] },
      // Ingestion may still be running.
      omit: { ingestion: true, ingestionAt: true, ingestionClaim: true, ingestionProgress: true },
    }),
  ]);
}

function expectNoLeak(answer: unknown, leaks: string[], given: string): void {
  const text = JSON.stringify(answer);
  // A refusal may repeat the requested id.
  for (const leak of leaks) if (leak !== given) expect(text).not.toContain(leak);
}

const named = (fields: RootField[]) => fields.map((field) => [field.name, field] as const);
const codes = ({ errors }: { errors?: Array<{ extensions: { code: string } }> }) =>
  errors?.map(({ extensions }) => extensions.code) ?? [];

describe.each(['key', 'user'] as const)('a foreign %s', (kind) => {
  const leaks = () => (kind === 'key' ? secretsOfWorkspace() : secrets());

  test.each(named(rootFields.query))('cannot find anything: %s', async (_name, field) => {
    for (const id of kinds.map((name) => ids[name] as string)) {
      const { query, variables } = operationFor('query', field, id, 2);
      const answer = await strangers[kind].send(query, variables);
      expect(codes(answer).filter((code) => code !== 'FORBIDDEN')).toEqual([]);
      expectNoLeak(answer, leaks(), id);
      const isTheirs = kind === 'user' && [ids.assistant, ids.workspace, ids.plugin].includes(id);
      const value = answer.data?.[field.name];
      if (field.args.some(({ name }) => name === 'id') && value && !isTheirs) {
        expect(value.__typename).toBe('NotFoundError');
      }
    }
  });

  test.each(named(rootFields.mutation))('cannot change anything: %s', async (_name, field) => {
    for (const id of kinds.map((name) => ids[name] as string)) {
      const { query, variables } = operationFor('mutation', field, id, 1);
      const answer = await strangers[kind].send(query, variables);
      expect(codes(answer)).toEqual([]);
      expectNoLeak(answer, leaks(), id);
    }
    expect(await everything()).toBe(before);
  });

  test.each(named(rootFields.subscription))('cannot subscribe: %s', async (name, field) => {
    for (const id of kinds.map((name) => ids[name] as string)) {
      const { query, variables } = operationFor('subscription', field, id, 0);
      const refused = await strangers[kind]
        .subscribe(query, variables, name)
        .next()
        .catch((error) => error);
      expect(refused.errors?.[0]?.extensions.code).toBe('NOT_FOUND');
    }
  });

  test.each([...rootFields.query, ...rootFields.mutation].map((field) => [field.name, field] as const))(
    'gets the same answer with the same statements for an existing and an unknown id: %s',
    async (name, field) => {
      const kindOf: OperationKind = rootFields.query.includes(field) ? 'query' : 'mutation';
      if (!field.args.some(({ type }) => /ID|Input/.test(String(type)))) return;
      const { thread: there = '', unknown = '' } = ids;
      const ask = async (id: string) => {
        const { query, variables } = operationFor(kindOf, field, id, 1);
        let answer = '';
        const statements = await app.statements(async () => {
          answer = JSON.stringify(await strangers[kind].send(query, variables));
        });
        return {
          answer: answer.replaceAll(id, '<id>').replace(/[a-z]+_[0-9a-z]{26}|ag_\w+|20\d\d-[^"]*Z/g, ''),
          statements,
        };
      };
      // These create new objects, with their own ids and times.
      if (/^create(Thread|SessionToken|Workspace)/.test(name)) return;
      expect(await ask(there)).toEqual(await ask(unknown));
    },
  );
});

describe('an invalid credential is refused over HTTP, SSE and WebSocket', () => {
  test.each([...rootFields.query, ...rootFields.mutation].map((field) => [field.name, field] as const))(
    '%s',
    async (_name, field) => {
      const kind = rootFields.query.includes(field) ? 'query' : 'mutation';
      const { query, variables } = operationFor(kind, field, ids.thread as string, 1);
      for (const [name, { client, code }] of Object.entries(worthless)) {
        const answer = await client.send(query, variables);
        expect([name, answer.data ?? null, codes(answer)]).toEqual([name, null, [code]]);
        expect([401, 403]).toContain(answer.status);
      }
      expect(await everything()).toBe(before);
    },
  );

  test.each(named(rootFields.subscription))('%s', async (name, field) => {
    const { query, variables } = operationFor('subscription', field, ids.thread as string, 0);
    for (const [credential, { client, code }] of Object.entries(worthless)) {
      const response = await client.stream(query, variables);
      expect([credential, await response.text()]).toEqual([credential, expect.stringContaining(`"code":"${code}"`)]);
      const refused = await client
        .subscribe(query, variables, name)
        .next()
        .catch((error) => error);
      // An invalid credential closes the socket; without any, the operation is refused.
      const refusal = credential === 'no key' ? refused[0]?.extensions.code : refused.code;
      expect([credential, refusal]).toEqual([credential, credential === 'no key' ? 'UNAUTHENTICATED' : 4403]);
    }
  });
});

test("another workspace's lists, counts, searches and cursors are empty", async () => {
  const page = '{ totalCount nodes { id } pageInfo { hasNextPage endCursor } }';
  const own = await app.client.data(
    '{ threads(first: 1) { pageInfo { endCursor } } assistants { pageInfo { endCursor } } }',
  );
  for (const stranger of [strangers.key, await app.client.as('newcomer')]) {
    const lists = await stranger.data(
      `query($after: String) { threads(filter: { archived: null, owner: "alice" }) ${page} runs(filter: { assistantId: "${ids.assistant}" }) ${page}
        found: threads(filter: { search: "look_up" }) ${page} behind: threads(after: $after) ${page} }`,
      { after: own.threads.pageInfo.endCursor },
    );
    for (const list of Object.values(lists)) {
      expect(list).toEqual({ totalCount: 0, nodes: [], pageInfo: { hasNextPage: false, endCursor: null } });
    }
  }
});

test('a statement without the bound workspace never reaches the database', async () => {
  const bound = bindToWorkspace(app.app.services.database, 'ws_mine');
  const other = { workspaceId: 'ws_other', id: 'thread_1' };
  const statements = [
    () => bound.thread.findUnique({ where: { workspaceId_id: other } }),
    () => bound.thread.findMany({ where: { workspaceId: 'ws_other' } }),
    () => bound.thread.update({ where: { workspaceId_id: other }, data: { title: 'x' } }),
    () => bound.thread.delete({ where: { workspaceId_id: other } }),
    () => bound.thread.create({ data: other }),
    () => bound.thread.createMany({ data: [other] }),
    () => bound.workspace.findUnique({ where: { id: 'ws_other' } }),
    () => bound.workspace.create({ data: { id: 'ws_other', name: 'x' } }),
    () => bound.apiKey.findUnique({ where: { id: 'key_1' } }),
    () => bound.apiKeySecret.findUnique({ where: { hash: 'x' } }),
  ];
  for (const statement of statements) await expect(statement()).rejects.toBeInstanceOf(UnscopedQueryError);
  expect(await bound.thread.findMany()).toEqual([]);
  expect(await bound.thread.count({ where: { id: ids.thread } })).toBe(0);
});

test('a row cannot refer to a row of another workspace', async () => {
  const { database } = app.app.services;
  const mine = await database.workspace.findFirstOrThrow({ where: { isDefault: false } });
  const across = database.message.create({
    data: {
      workspaceId: mine.id,
      id: 'msg_across',
      threadId: ids.thread as string,
      role: 'USER',
      position: 1,
      completedAt: new Date(),
    },
  });
  await expect(across).rejects.toMatchObject({ code: 'P2003' });
});
