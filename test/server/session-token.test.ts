import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import { beforeAll, describe, expect, test } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { all, Client, joined } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();
let alice: Client;
let bob: Client;
beforeAll(async () => {
  alice = await app.client.as('alice');
  bob = await app.client.as('bob');
});

test('an end user chats with only a session token and sees only their own threads', async () => {
  const assistant = await app.client.createAssistant({ name: 'Guide' });
  const run = await alice.ask('say hello Alice', { assistantId: assistant.id });
  expect(joined(await all(alice.follow(run.id)))).toBe('hello Alice');
  const lists =
    '{ viewer { kind userId apiKey { id } } threads { totalCount nodes { owner lastMessage { text } } } runs { totalCount } assistants { totalCount } }';
  expect(await alice.data(lists)).toEqual({
    viewer: { kind: 'USER', userId: 'alice', apiKey: null },
    threads: { totalCount: 1, nodes: [{ owner: 'alice', lastMessage: { text: 'hello Alice' } }] },
    runs: { totalCount: 1 },
    assistants: { totalCount: 1 },
  });
  expect(await bob.data(lists)).toMatchObject({ threads: { totalCount: 0 }, runs: { totalCount: 0 } });
  const used = await bob.data('{ assistants { nodes { threads { totalCount } runs { totalCount } } } }');
  expect(used.assistants.nodes).toEqual([{ threads: { totalCount: 0 }, runs: { totalCount: 0 } }]);
  expect((await app.client.data('{ threads { totalCount } }')).threads.totalCount).toBe(1);
});

test('an end user can use assistants, but not change them, keys or the workspace', async () => {
  const attempts: Array<[string, object]> = [
    ['createAssistant', { name: 'Mine' }],
    ['createApiKey', { name: 'Mine', scopes: ['THREADS_READ'] }],
    ['createSessionToken', { userId: 'bob' }],
    ['updateWorkspace', { name: 'Mine' }],
    ['rotateSigningKey', {}],
  ];
  for (const [name, input] of attempts) {
    expect([name, await alice.mutate(name, input, '__typename')]).toEqual([
      name,
      expect.objectContaining({ code: 'FORBIDDEN' }),
    ]);
  }
  const { errors } = await alice.send('{ workspace { name settings { defaultModel } } }');
  expect(errors?.[0]).toMatchObject({
    extensions: { code: 'FORBIDDEN' },
    path: ['workspace', 'settings', 'defaultModel'],
  });
});

test('an end user cannot create a thread for another user', async () => {
  expect(await alice.mutate('createThread', { owner: 'bob' }, 'thread { id }')).toMatchObject({ code: 'FORBIDDEN' });
  const { thread } = await alice.mutate('createThread', {}, 'thread { owner }');
  expect(thread.owner).toBe('alice');
});

test('one idempotency key of two users makes two runs, whatever their names', async () => {
  const [one, two] = [await app.client.as('a'), await app.client.as('a:b')];
  const first = await two.ask('hello', { idempotencyKey: 'c' });
  const second = await one.ask('hello', { idempotencyKey: 'b:c' });
  expect(second.id).not.toBe(first.id);
  expect((await two.ask('hello', { idempotencyKey: 'c' })).id).toBe(first.id);
});

describe('a session token', () => {
  test('has at most those scopes of its key that end users can have', async () => {
    const { client, id } = await app.client.createKey({ scopes: ['THREADS_READ', 'ASSISTANTS_WRITE', 'RUNS_READ'] });
    const scopesOf = async (user: Client) => (await user.data('{ viewer { scopes } }')).viewer.scopes;
    const carol = await client.as('carol');
    expect(await scopesOf(carol)).toEqual(['THREADS_READ', 'RUNS_READ']);
    expect(await scopesOf(await client.as('carol', { scopes: ['RUNS_READ'] }))).toEqual(['RUNS_READ']);
    const more = await client.mutate('createSessionToken', { userId: 'carol', scopes: ['RUNS_WRITE'] }, 'token');
    expect(more).toMatchObject({ code: 'FORBIDDEN' });
    const never = await app.client.mutate('createSessionToken', { userId: 'carol', scopes: ['SERVER_ADMIN'] }, 'token');
    expect(never).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: ['scopes'] }] });
    const many = { userId: 'carol', scopes: Array(101).fill('RUNS_READ') };
    expect(await client.mutate('createSessionToken', many, 'token')).toMatchObject({
      code: 'INVALID_INPUT',
      issues: [{ path: ['scopes'], message: 'At most 100 scopes.' }],
    });
    // A scope removed from the key is also removed from its tokens.
    await app.client.mutate('updateApiKey', { id, scopes: ['THREADS_READ'] }, 'apiKey { id }');
    expect(await scopesOf(carol)).toEqual(['THREADS_READ']);
    await app.client.mutate('revokeApiKey', { id }, 'apiKey { id }');
    expect((await carol.send('{ viewer { kind } }')).errors?.[0]?.extensions).toMatchObject({ reason: 'REVOKED' });
  });

  test('expires no later than its key', async () => {
    const expiresAt = new Date(Date.now() + 60_000).toISOString();
    const { client } = await app.client.createKey({ scopes: ['THREADS_READ'], expiresAt });
    const made = await client.mutate('createSessionToken', { userId: 'carol', ttlSeconds: 86_400 }, 'expiresAt');
    expect(new Date(made.expiresAt).getTime()).toBeLessThanOrEqual(new Date(expiresAt).getTime());
  });

  test('acts in the workspace in which it was created', async () => {
    const { workspace } = await app.client.mutate('createWorkspace', { name: 'Other' }, 'workspace { id }');
    const there = await app.in(workspace.id).as('alice');
    const { workspace: own, threads } = await there.data('{ workspace { id } threads { totalCount } }');
    expect([own.id, threads.totalCount]).toEqual([workspace.id, 0]);
  });

  test('with a forged signature or changed claims is refused', async () => {
    const [head, claims] = [decodeProtectedHeader(alice.key), decodeJwt(alice.key)];
    const forge = (secret: Uint8Array, header: object) =>
      new SignJWT(claims).setProtectedHeader({ ...head, alg: 'HS256', ...header }).sign(secret);
    const guess = new TextEncoder().encode('secret');
    const forged = [
      await forge(guess, {}),
      await forge(guess, { kid: 'unknown' }),
      await forge(guess, { kid: '../../dev/null' }),
      await forge(guess, { typ: 'JWT' }),
    ];
    for (const token of forged) {
      const { errors } = await new Client(app.url, token).send('{ viewer { kind } }');
      expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    }
  });

  test.each([
    ['an empty user id', { userId: ' ' }, 'userId'],
    ['a lone surrogate in the user id', { userId: '\ud83c' }, 'userId'],
    ['a lifetime of zero', { userId: 'x', ttlSeconds: 0 }, 'ttlSeconds'],
    ['a lifetime above one day', { userId: 'x', ttlSeconds: 86_401 }, 'ttlSeconds'],
  ])('with %s is refused with the field to change', async (_name, input, path) => {
    const refused = await app.client.mutate('createSessionToken', input, 'token');
    expect(refused).toMatchObject({ code: 'INVALID_INPUT', issues: [{ path: [path] }] });
  });

  test('accepts any user id: Chinese, spaces or quotes', async () => {
    for (const userId of ['王小明', 'a "b" \\ c', "x'; DROP TABLE"]) {
      const user = await app.client.as(userId);
      await user.ask('say 你好');
      const { viewer, threads } = await user.data('{ viewer { userId } threads { nodes { owner } } }');
      expect([viewer.userId, threads.nodes]).toEqual([userId, [{ owner: userId }]]);
    }
  });
});

test('after the signing key rotates, old tokens stay valid for the grace period, and end without one', async () => {
  await using other = await startTestApp();
  const before = await other.client.as('alice');
  const { validUntil } = await other.client.mutate('rotateSigningKey', {}, 'validUntil');
  expect(new Date(validUntil).getTime()).toBeGreaterThan(Date.now() + 86_000_000);
  const after = await other.client.as('alice');
  expect(decodeProtectedHeader(after.key).kid).not.toBe(decodeProtectedHeader(before.key).kid);
  for (const user of [before, after]) expect((await user.data('{ viewer { kind } }')).viewer.kind).toBe('USER');
  await other.client.mutate('rotateSigningKey', { graceSeconds: 0 }, 'validUntil');
  for (const user of [before, after]) {
    const { errors } = await user.send('{ viewer { kind } }');
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'ROTATED' });
  }
});
