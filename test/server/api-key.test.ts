import { describe, expect, test } from 'vitest';
import { isMistyped } from '../../src/secret/key-secret.ts';
import { Client } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();

const create = (client: Client, input: object) =>
  client.mutate(
    'createApiKey',
    { name: 'Test', ...input },
    'secret apiKey { id name prefix scopes expiresAt allWorkspaces workspaces { id } }',
  );
const workspaceOf = async (client: Client) => (await client.data('{ workspace { id } }')).workspace.id;
const newWorkspace = async (name: string) =>
  (await app.client.mutate('createWorkspace', { name }, 'workspace { id }')).workspace.id as string;
const codeOf = async (client: Client) => (await client.send('{ viewer { kind } }')).errors?.[0]?.extensions;

describe('a key', () => {
  test('is shown once, has a checksum, and is nowhere in the database', async () => {
    const { secret, apiKey } = await create(app.client, { scopes: ['THREADS_READ'] });
    expect(secret).toMatch(/^ag_[0-9A-Za-z]{49}$/);
    expect(isMistyped(secret)).toBe(false);
    expect(apiKey).toMatchObject({
      name: 'Test',
      prefix: secret.slice(0, 7),
      scopes: ['THREADS_READ'],
      expiresAt: null,
    });
    const { database } = app.app.services;
    const rows = JSON.stringify([await database.apiKey.findMany(), await database.apiKeySecret.findMany()]);
    expect(rows).not.toContain(secret);
    const { createHash } = await import('node:crypto');
    expect(rows).not.toContain(createHash('sha256').update(secret).digest('hex'));
  });

  test('with a typo is refused as such, without a database query', async () => {
    const { secret } = await app.client.createKey({ scopes: ['THREADS_READ'] });
    const typo = secret.replace(/.$/, secret.endsWith('x') ? 'y' : 'x');
    const statements = await app.statements(async () => {
      expect(await codeOf(new Client(app.url, typo))).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'MISTYPED' });
    });
    expect(statements).toEqual([]);
    expect(await codeOf(new Client(app.url, 'ag_unknown'))).toMatchObject({ reason: 'UNKNOWN' });
  });

  test('that is unknown costs one query', async () => {
    let tries = 0;
    const statements = await app.statements(async () => {
      tries += 1;
      expect(await codeOf(new Client(app.url, `unknown_${tries}`))).toMatchObject({ reason: 'UNKNOWN' });
    });
    expect(statements).toHaveLength(1);
  });

  test('acts in its own workspace and the granted ones only', async () => {
    const [one, other, third] = [await newWorkspace('One'), await newWorkspace('Other'), await newWorkspace('Third')];
    const { secret, client, id } = await app.in(one).createKey({ scopes: ['THREADS_READ'], workspaceIds: [other] });
    expect(await workspaceOf(client)).toBe(one);
    expect(await workspaceOf(new Client(app.url, secret, other))).toBe(other);
    const { workspaces } = await client.data('{ workspaces { totalCount nodes { id } } }');
    expect(workspaces).toEqual({ totalCount: 2, nodes: [{ id: other }, { id: one }] });
    const unknown = 'ws_01h455vb4pex5vsknk084sn02q';
    const refusals = [third, unknown, 'nonsense', '\u0000'].map(async (workspace) => {
      const [error] = await new Client(app.url, secret, encodeURIComponent(workspace))
        .send('{ workspace { id } }')
        .then(({ errors }) => errors ?? []);
      return [error?.message, error?.extensions.code];
    });
    expect(new Set((await Promise.all(refusals)).map(String))).toEqual(
      new Set(['No workspace with this ID is accessible to you.,FORBIDDEN']),
    );
    // A key without access to the other workspace does not see it.
    const admin = await app.in(one).createKey({ scopes: ['WORKSPACE_ADMIN'] });
    const { workspace } = await admin.client.data('{ workspace { apiKeys { nodes { id workspaces { id } } } } }');
    expect(workspace.apiKeys.nodes).toContainEqual({ id, workspaces: [{ id: one }] });
  });

  test('lists all its workspaces, whichever it acts in', async () => {
    const [one, other] = [await newWorkspace('Here'), await newWorkspace('There')];
    const { secret } = await app.in(one).createKey({ scopes: ['WORKSPACE_ADMIN'], workspaceIds: [other] });
    const query =
      '{ viewer { apiKey { workspaces { name settings { maxConcurrentRuns } apiKeys(first: 5) { totalCount nodes { id } } } } } }';
    for (const workspace of [one, other]) {
      const { viewer } = await new Client(app.url, secret, workspace).data(query);
      expect(viewer.apiKey.workspaces).toMatchObject([
        { name: 'Here', settings: { maxConcurrentRuns: expect.any(Number) }, apiKeys: { totalCount: 1 } },
        { name: 'There', settings: { maxConcurrentRuns: expect.any(Number) }, apiKeys: { totalCount: 0, nodes: [] } },
      ]);
    }
  });

  test('for all workspaces acts everywhere, with its own scopes only', async () => {
    const { secret } = await app.client.createKey({ scopes: ['THREADS_READ'], allWorkspaces: true });
    const later = await newWorkspace('Later');
    const there = new Client(app.url, secret, later);
    expect(await workspaceOf(there)).toBe(later);
    expect(await there.mutate('createThread', {}, 'thread { id }')).toMatchObject({ code: 'FORBIDDEN' });
  });

  test("also selects its workspace with DashScope's header", async () => {
    const other = await newWorkspace('DashScope');
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { ...app.client.headers, 'X-DashScope-WorkSpace': other },
      body: JSON.stringify({ query: '{ workspace { id } }' }),
    });
    expect((await response.json()).data.workspace.id).toBe(other);
  });
});

describe('a key cannot create a more powerful key', () => {
  test.each([
    ['with another scope', { scopes: ['WORKSPACE_ADMIN', 'RUNS_READ'] }, 'RUNS_READ'],
    ['with a server scope', { scopes: ['SERVER_ADMIN'] }, 'SERVER_ADMIN'],
    ['for all workspaces', { scopes: ['THREADS_READ'], allWorkspaces: true }, null],
    ['that lives longer', { scopes: ['THREADS_READ'], expiresAt: '2100-01-01T00:00:00Z' }, null],
  ])('%s', async (_name, input, requiredScope) => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { client } = await app.client.createKey({ scopes: ['WORKSPACE_ADMIN', 'THREADS_READ'], expiresAt });
    const refused = await client.mutate('createApiKey', { name: 'More', ...input }, 'secret');
    expect(refused).toMatchObject({ code: 'FORBIDDEN' });
    const answer = await client.data(
      'mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { ... on ForbiddenError { requiredScope } } }',
      { input: { name: 'More', ...input } },
    );
    expect(answer.createApiKey.requiredScope).toBe(requiredScope);
    // Without a date it expires together with the key that created it.
    expect((await create(client, { scopes: ['THREADS_READ'] })).apiKey.expiresAt).toBe(expiresAt);
  });

  test('a workspace that it cannot enter', async () => {
    const [home, other] = [await newWorkspace('Home'), await newWorkspace('Not mine')];
    const { client } = await app.in(home).createKey({ scopes: ['WORKSPACE_ADMIN'] });
    for (const id of [other, 'ws_01h455vb4pex5vsknk084sn02q', 'nonsense']) {
      const refused = await create(client, { scopes: ['WORKSPACE_ADMIN'], workspaceIds: [id] });
      expect(refused).toMatchObject({ __typename: 'NotFoundError' });
    }
  });

  test('nor take over one by rotating, updating or revoking it', async () => {
    const strong = await app.client.createKey({ scopes: ['WORKSPACE_ADMIN', 'RUNS_WRITE'] });
    const { client } = await app.client.createKey({ scopes: ['WORKSPACE_ADMIN'] });
    expect(await client.mutate('rotateApiKey', { id: strong.id }, 'secret')).toMatchObject({ code: 'FORBIDDEN' });
    expect(await client.mutate('revokeApiKey', { id: strong.id }, 'apiKey { id }')).toMatchObject({
      code: 'FORBIDDEN',
    });
    const more = { id: strong.id, scopes: ['WORKSPACE_ADMIN'] };
    expect(await client.mutate('updateApiKey', more, 'apiKey { id }')).toMatchObject({ code: 'FORBIDDEN' });
    expect(await codeOf(strong.client)).toBeUndefined();
  });

  test('nor extend its own grants', async () => {
    const { client, id } = await app.client.createKey({ scopes: ['WORKSPACE_ADMIN'] });
    const input = { id, scopes: ['WORKSPACE_ADMIN', 'SERVER_ADMIN'] };
    expect(await client.mutate('updateApiKey', input, 'apiKey { id }')).toMatchObject({ code: 'FORBIDDEN' });
    expect(await client.mutate('updateApiKey', { id, allWorkspaces: true }, 'apiKey { id }')).toMatchObject({
      code: 'FORBIDDEN',
    });
  });
});

describe('a rotated key', () => {
  test('has two valid secrets during the grace period, also when rotated twice', async () => {
    const first = await app.client.createKey({ scopes: ['THREADS_READ'] });
    const second = await app.client.mutate('rotateApiKey', { id: first.id }, 'secret apiKey { id prefix }');
    const third = await app.client.mutate('rotateApiKey', { id: first.id }, 'secret apiKey { id prefix }');
    expect(second.apiKey).toEqual({ id: first.id, prefix: second.secret.slice(0, 7) });
    const secrets = [first.secret, second.secret, third.secret];
    expect(new Set(secrets).size).toBe(3);
    for (const secret of secrets) expect(await codeOf(new Client(app.url, secret))).toBeUndefined();
    await app.client.mutate('rotateApiKey', { id: first.id, graceSeconds: 0 }, 'secret');
    for (const secret of secrets) {
      expect(await codeOf(new Client(app.url, secret))).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'ROTATED' });
    }
  });

  test('cannot extend the grace period through its old secret', async () => {
    const scopes = ['WORKSPACE_ADMIN', 'THREADS_READ'];
    const old = await app.client.createKey({ scopes });
    await app.client.mutate('rotateApiKey', { id: old.id, graceSeconds: 600 }, 'secret');
    for (const name of ['rotateApiKey', 'updateApiKey', 'revokeApiKey']) {
      expect(await old.client.mutate(name, { id: old.id }, '__typename')).toMatchObject({ code: 'FORBIDDEN' });
    }
    const { apiKey } = await create(old.client, { scopes });
    expect(new Date(apiKey.expiresAt).getTime()).toBeLessThan(Date.now() + 601_000);
  });

  test('has one newest secret after concurrent rotations', async () => {
    const { id } = await app.client.createKey({ scopes: ['THREADS_READ'] });
    await Promise.all(Array.from({ length: 8 }, () => app.client.mutate('rotateApiKey', { id }, 'secret')));
    const rows = await app.app.services.database.apiKeySecret.findMany({ where: { keyId: id, validUntil: null } });
    expect(rows.length).toBe(1);
  });

  test('must not have expired or been revoked', async () => {
    const { id, client } = await app.client.createKey({ scopes: ['THREADS_READ'] });
    const revoked = await app.client.mutate('revokeApiKey', { id }, 'apiKey { revokedAt }');
    const again = await app.client.mutate('revokeApiKey', { id }, 'apiKey { revokedAt }');
    expect(again).toEqual(revoked);
    expect(await codeOf(client)).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'REVOKED' });
    expect(await app.client.mutate('rotateApiKey', { id }, 'secret')).toMatchObject({ code: 'CONFLICT' });
  });
});

test('the admin key cannot be rotated, updated or revoked through the API', async () => {
  const { viewer } = await app.client.data('{ viewer { apiKey { id } } }');
  for (const name of ['rotateApiKey', 'updateApiKey', 'revokeApiKey']) {
    expect(await app.client.mutate(name, { id: viewer.apiKey.id }, '__typename')).toMatchObject({ code: 'CONFLICT' });
  }
});

test('a removed scope is refused immediately', async () => {
  const { id, client } = await app.client.createKey({ scopes: ['THREADS_READ', 'THREADS_WRITE'] });
  const made = await client.mutate('createThread', {}, 'thread { id }');
  expect(made.thread).toBeDefined();
  await app.client.mutate('updateApiKey', { id, name: 'Reader', scopes: ['THREADS_READ'] }, 'apiKey { id }');
  const refused = await client.mutate('createThread', {}, 'thread { id }');
  expect(refused).toMatchObject({ code: 'FORBIDDEN' });
  const { viewer } = await client.data('{ viewer { scopes apiKey { name expiresAt } } }');
  expect(viewer).toEqual({ scopes: ['THREADS_READ'], apiKey: { name: 'Reader', expiresAt: null } });
});

test.each([
  ['an empty name', { name: ' ', scopes: ['THREADS_READ'] }, 'name'],
  ['no scope', { scopes: [] }, 'scopes'],
  ['an expiry in the past', { scopes: ['THREADS_READ'], expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
  ['too many workspaces', { scopes: ['THREADS_READ'], workspaceIds: Array(101).fill('ws_x') }, 'workspaceIds'],
])('a key with %s is refused with the field to change', async (_name, input, path) => {
  const refused = await create(app.client, input);
  expect(refused).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: [path] }] });
});

describe('administrators who change keys concurrently', () => {
  test('cannot grant a key more than either of them has', async () => {
    const [one, two] = [await newWorkspace('One half'), await newWorkspace('Other half')];
    const writer = await app.in(one).createKey({ scopes: ['WORKSPACE_ADMIN', 'THREADS_READ', 'RUNS_WRITE'] });
    const wide = await app.in(one).createKey({ scopes: ['WORKSPACE_ADMIN', 'THREADS_READ'], workspaceIds: [two] });
    for (let round = 0; round < 15; round += 1) {
      const { id, client } = await app.in(one).createKey({ scopes: ['THREADS_READ'] });
      const answers = await Promise.all([
        writer.client.mutate('updateApiKey', { id, scopes: ['RUNS_WRITE'] }, 'apiKey { id }'),
        wide.client.mutate('updateApiKey', { id, workspaceIds: [two] }, 'apiKey { id }'),
      ]);
      expect(answers.map(({ code }) => code).filter(Boolean)).toEqual(['FORBIDDEN']);
      const { viewer } = await client.data('{ viewer { scopes } }');
      const { viewer: there } = (await new Client(app.url, client.key, two).send('{ viewer { scopes } }')).data ?? {};
      expect(viewer.scopes.includes('RUNS_WRITE') && there !== undefined).toBe(false);
    }
  });

  test('cannot use a scope that was just removed from them', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { id, client } = await app.client.createKey({ scopes: ['WORKSPACE_ADMIN', 'RUNS_WRITE'] });
      const [, made] = await Promise.all([
        app.client.mutate('updateApiKey', { id, scopes: ['WORKSPACE_ADMIN'] }, 'apiKey { id }'),
        create(client, { scopes: ['RUNS_WRITE'] }),
      ]);
      // Either order is valid: if the key exists, it was created before its creator lost the scope.
      if (made.apiKey) expect(made.apiKey.scopes).toEqual(['RUNS_WRITE']);
      else expect(made).toMatchObject({ code: 'FORBIDDEN' });
      expect(await create(client, { scopes: ['RUNS_WRITE'] })).toMatchObject({ code: 'FORBIDDEN' });
    }
  });

  test('can change each other without a deadlock', async () => {
    const [one, two] = await Promise.all([
      app.client.createKey({ scopes: ['WORKSPACE_ADMIN'] }),
      app.client.createKey({ scopes: ['WORKSPACE_ADMIN'] }),
    ]);
    const rounds = Array.from({ length: 8 }, (_, round) => [
      one.client.mutate('updateApiKey', { id: two.id, name: `Two ${round}` }, 'apiKey { name }'),
      two.client.mutate('updateApiKey', { id: one.id, name: `One ${round}` }, 'apiKey { name }'),
    ]);
    for (const changed of await Promise.all(rounds.flat())) expect(changed.apiKey).toBeDefined();
  });

  test('change a key completely or not at all', async () => {
    const [one, two] = [await newWorkspace('Atomic'), await newWorkspace('Atomic too')];
    const { id } = await app.in(one).createKey({ scopes: ['THREADS_READ'] });
    const changes = [
      { id, scopes: ['THREADS_READ'], workspaceIds: [] },
      { id, scopes: ['RUNS_READ'], workspaceIds: [two] },
    ];
    const select = 'apiKey { scopes workspaces { id } }';
    await Promise.all(
      Array.from({ length: 12 }, (_, n) => app.in(one).mutate('updateApiKey', changes[n % 2] ?? {}, select)),
    );
    const { apiKey } = await app.in(one).mutate('updateApiKey', { id, name: 'Looked at' }, select);
    const workspaces = apiKey.scopes[0] === 'RUNS_READ' ? [{ id: one }, { id: two }] : [{ id: one }];
    expect(apiKey).toEqual({ scopes: apiKey.scopes, workspaces });
  });
});
