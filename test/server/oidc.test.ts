import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { Client } from '../support/client.ts';

/** An identity provider on loopback: a discovery document, keys, and whatever tokens a test wants. */
class IdentityProvider {
  readonly #server: Server;
  #key!: Awaited<ReturnType<typeof generateKeyPair>>;
  #keyId = 0;
  #isHanging = false;
  #onHang = () => {};
  /** How often its keys have been read. */
  keyReads = 0;

  constructor() {
    this.#server = createServer(async ({ url }, response) => {
      if (url === '/.well-known/openid-configuration') {
        return response.end(JSON.stringify({ issuer: this.issuer, jwks_uri: `${this.issuer}/keys` }));
      }
      if (this.#isHanging) return this.#onHang();
      this.keyReads += 1;
      const key = { ...(await exportJWK(this.#key.publicKey)), kid: String(this.#keyId), alg: 'ES256', use: 'sig' };
      response.end(JSON.stringify({ keys: [key] }));
    });
  }

  async start(): Promise<void> {
    await this.rotate();
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on requests are taken and not answered; resolves when the first of them has come. */
  hang(): Promise<void> {
    this.#isHanging = true;
    return new Promise((resolve) => {
      this.#onHang = resolve;
    });
  }

  async rotate(): Promise<void> {
    this.#key = await generateKeyPair('ES256');
    this.#keyId += 1;
  }

  /** A token with claims in place of, or beside, the usual ones. */
  async token(claims: object = {}, key = this.#key.privateKey, lifetime = '1h'): Promise<string> {
    return new SignJWT({ iss: this.issuer, aud: 'graph', sub: 'alice', ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: String(this.#keyId) })
      .setIssuedAt()
      .setExpirationTime(lifetime)
      .sign(key);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const provider = new IdentityProvider();
let app: TestApp;
beforeAll(async () => {
  await provider.start();
  app = await startTestApp({ OIDC_ISSUER: provider.issuer, OIDC_AUDIENCE: 'graph' });
});
afterAll(async () => {
  await app.stop();
  await provider.stop();
});

const who = async (token: string, workspace?: string) =>
  new Client(app.url, token, workspace).send('{ viewer { kind userId scopes workspace { isDefault } } }');

describe('a token of an identity provider', () => {
  test('is its user in the default workspace, with all that an end user can have', async () => {
    const { data } = await who(await provider.token());
    expect(data.viewer).toEqual({
      kind: 'USER',
      userId: 'alice',
      scopes: ['ASSISTANTS_READ', 'THREADS_READ', 'THREADS_WRITE', 'RUNS_READ', 'RUNS_WRITE'],
      workspace: { isDefault: true },
    });
  });

  test.each([
    ['a text', { scope: 'openid threads:read runs.read email' }],
    ['a list', { scope: ['THREADS_READ', 'RUNS_READ'] }],
    ['beside names of other systems', { scope: 'read:messages threads:read runs:read' }],
    ['with what no end user can have', { scope: 'THREADS_READ RUNS_READ SERVER_ADMIN ASSISTANTS_WRITE' }],
  ])('has the scopes that it names: %s', async (_name, claims) => {
    const { data } = await who(await provider.token(claims));
    expect(data.viewer.scopes).toEqual(['THREADS_READ', 'RUNS_READ']);
  });

  test.each([
    ['says nothing of access', { scope: 'openid profile email offline_access' }, 5],
    ['names other systems only', { scope: 'openid read:messages' }, 0],
    ['names what no end user can have', { scope: 'SERVER_ADMIN' }, 0],
    ['is empty', { scope: '' }, 0],
    ['is an empty list', { scope: [] }, 0],
    ['is no list of names', { scope: { THREADS_READ: true } }, 0],
    ['is null', { scope: null }, 0],
  ])('whose claim %s has all that a user can have, or nothing', async (_name, claims, count) => {
    const { data } = await who(await provider.token(claims));
    expect(data.viewer.scopes).toHaveLength(count);
  });

  test('sees what a session token of the same user sees', async () => {
    const session = await app.client.as('dora');
    await session.createThread({ title: 'One' });
    const outside = new Client(app.url, await provider.token({ sub: 'dora' }));
    expect((await outside.data('{ threads { nodes { title owner } } }')).threads.nodes).toEqual([
      { title: 'One', owner: 'dora' },
    ]);
  });

  test('has its keys read once for many, and again when they have changed', async () => {
    const tokens = await Promise.all(
      Array.from({ length: 20 }, (_, index) => provider.token({ sub: `user ${index}` })),
    );
    const before = provider.keyReads;
    for (const { data } of await Promise.all(tokens.map((token) => who(token)))) expect(data.viewer.kind).toBe('USER');
    expect(provider.keyReads - before).toBeLessThanOrEqual(1);
  });

  test.each<[string, () => Promise<string>]>([
    ['of another issuer', () => provider.token({ iss: 'https://elsewhere.example' })],
    ['for another audience', () => provider.token({ aud: 'somebody-else' })],
    ['signed by somebody else', async () => provider.token({}, (await generateKeyPair('ES256')).privateKey)],
    ['without a user', () => provider.token({ sub: undefined })],
    ['with a user that is no text', () => provider.token({ sub: 7 })],
    ['with a user that cannot be stored', () => provider.token({ sub: 'a\u0000b' })],
    ['with a user without end', () => provider.token({ sub: 'x'.repeat(257) })],
    ['that is not yet good', () => provider.token({ nbf: Math.floor(Date.now() / 1000) + 600 })],
  ])('%s is refused', async (_name, make) => {
    expect((await who(await make())).errors?.[0]?.extensions).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'UNKNOWN',
    });
  });

  test('that has expired is refused as such', async () => {
    const { errors } = await who(await provider.token({}, undefined, '-1s'));
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'EXPIRED' });
  });

  test('enters no workspace but its own', async () => {
    const { workspace } = await app.client.mutate('createWorkspace', { name: 'Other' }, 'workspace { id }');
    const { errors } = await who(await provider.token(), workspace.id);
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });
});

test('claims of other names say who it is, where and with what, when that is configured', async () => {
  await using other = await startTestApp({
    OIDC_ISSUER: provider.issuer,
    OIDC_AUDIENCE: 'graph',
    OIDC_JWKS_URI: `${provider.issuer}/keys`,
    OIDC_USER_CLAIM: 'email',
    OIDC_WORKSPACE_CLAIM: 'https://example.com/workspace',
    OIDC_SCOPES_CLAIM: 'permissions',
  });
  const { workspace } = await other.client.mutate('createWorkspace', { name: 'Tenant' }, 'workspace { id }');
  const claims = {
    email: 'a@example.com',
    permissions: ['THREADS_READ'],
    'https://example.com/workspace': workspace.id,
  };
  const ask = async (token: string) =>
    new Client(other.url, token).send('{ viewer { userId scopes workspace { name } } }');
  expect((await ask(await provider.token(claims))).data.viewer).toEqual({
    userId: 'a@example.com',
    scopes: ['THREADS_READ'],
    workspace: { name: 'Tenant' },
  });
  // Without the claim nobody ends up in a workspace that was not meant.
  for (const wrong of [undefined, 'ws_01h455vb4pex5vsknk084sn02q', 'nonsense', 7]) {
    const { errors } = await ask(await provider.token({ ...claims, 'https://example.com/workspace': wrong }));
    expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  }
});

test('a provider that cannot be reached is no reason to let its users in, nor to keep keys out', async () => {
  const gone = new IdentityProvider();
  await gone.start();
  await using other = await startTestApp({ OIDC_ISSUER: gone.issuer, OIDC_AUDIENCE: 'graph' });
  const token = await gone.token();
  await gone.stop();
  const { data, errors } = await new Client(other.url, token).send('{ viewer { kind } }');
  expect([data ?? null, errors?.[0]?.extensions.code]).toEqual([null, 'INTERNAL_SERVER_ERROR']);
  expect((await other.client.data('{ viewer { kind } }')).viewer.kind).toBe('API_KEY');
});

test('a provider that hangs keeps nobody waiting but its own users', async () => {
  const hanging = new IdentityProvider();
  await hanging.start();
  await using other = await startTestApp({
    OIDC_ISSUER: hanging.issuer,
    OIDC_AUDIENCE: 'graph',
    OIDC_JWKS_URI: `${hanging.issuer}/keys`,
  });
  const key = await other.client.createKey({ scopes: ['THREADS_READ', 'RUNS_READ'] });
  const thread = await other.client.createThread({ owner: 'alice' });
  const follow = `subscription { threadEvents(threadId: "${thread.id}") { __typename } }`;
  const minutes = 11;
  const user = new Client(other.url, await hanging.token({}, undefined, `${minutes * 60 + 4}s`));
  const [theirs, mine] = await Promise.all([user.stream(follow), key.client.stream(follow)]);
  const [theirWords, myWords] = [theirs.text(), mine.text()];
  // What was read of its keys is too old by now; it is asked again, and does not answer.
  const asked = hanging.hang();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 });
  try {
    await asked;
    const before = performance.now();
    await other.client.mutate('revokeApiKey', { id: key.id }, 'apiKey { id }');
    expect(await myWords).toContain('"reason":"REVOKED"');
    expect(performance.now() - before).toBeLessThan(2000);
    vi.setSystemTime(Date.now() + 5000);
    expect(await theirWords).toContain('"reason":"EXPIRED"');
  } finally {
    vi.useRealTimers();
    await hanging.stop();
  }
});

test('an admin key that looks like the start of a token is a key', async () => {
  const adminKey = 'eyes-only-key-of-the-operator';
  await using other = await startTestApp({
    OIDC_ISSUER: provider.issuer,
    OIDC_AUDIENCE: 'graph',
    ADMIN_KEY: adminKey,
  });
  const { viewer } = await new Client(other.url, adminKey).data('{ viewer { kind apiKey { prefix } } }');
  // Nothing of what the operator chose is told.
  expect(viewer).toEqual({ kind: 'API_KEY', apiKey: { prefix: '' } });
});

test('without a provider, its tokens are worth nothing', async () => {
  await using other = await startTestApp();
  const { errors } = await new Client(other.url, await provider.token()).send('{ viewer { kind } }');
  expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
});
