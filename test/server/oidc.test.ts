import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

/** An identity provider on loopback with a discovery document, keys and tokens. */
class IdentityProvider {
  readonly #server: Server;
  #key!: Awaited<ReturnType<typeof generateKeyPair>>;
  #keyId = 0;
  #isHanging = false;
  #onHang = () => {};
  /** Whether the server has given up a request that got no response. */
  isGivenUp = false;
  /** The number of reads of its keys. */
  keyReads = 0;

  constructor() {
    this.#server = createServer(async ({ url }, response) => {
      if (url === '/.well-known/openid-configuration') {
        return response.end(JSON.stringify({ issuer: this.issuer, jwks_uri: `${this.issuer}/keys` }));
      }
      if (this.#isHanging) {
        response.on('close', () => {
          this.isGivenUp = true;
        });
        return this.#onHang();
      }
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

  /** Leaves all further requests unanswered; resolves when the first of them arrives. */
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

  /** A signed token; `claims` override or extend the defaults. */
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
beforeAll(() => provider.start());
afterAll(() => provider.stop());
const app = useApp({ environment: async () => ({ OIDC_ISSUER: provider.issuer, OIDC_AUDIENCE: 'graph' }) });

const who = async (token: string, workspace?: string) =>
  new Client(app.url, token, workspace).send('{ viewer { kind userId scopes workspace { isDefault } } }');

describe('a token of an identity provider', () => {
  test('authenticates its user in the default workspace with all end-user scopes', async () => {
    const { data } = await who(await provider.token());
    expect(data.viewer).toEqual({
      kind: 'USER',
      userId: 'alice',
      scopes: ['ASSISTANTS_READ', 'THREADS_READ', 'THREADS_WRITE', 'RUNS_READ', 'RUNS_WRITE'],
      workspace: { isDefault: true },
    });
  });

  test.each([
    ['a string', { scope: 'openid threads:read runs.read email' }],
    ['a list', { scope: ['THREADS_READ', 'RUNS_READ'] }],
    ['next to scopes of other systems', { scope: 'read:messages threads:read runs:read' }],
    ['with scopes that end users cannot have', { scope: 'THREADS_READ RUNS_READ SERVER_ADMIN ASSISTANTS_WRITE' }],
  ])('gets the scopes that it names: %s', async (_name, claims) => {
    const { data } = await who(await provider.token(claims));
    expect(data.viewer.scopes).toEqual(['THREADS_READ', 'RUNS_READ']);
  });

  test.each([
    ['has only standard OpenID scopes', 5, { scope: 'openid profile email offline_access' }],
    ['names only scopes of other systems', 0, { scope: 'openid read:messages' }],
    ['names only scopes that end users cannot have', 0, { scope: 'SERVER_ADMIN' }],
    ['is empty', 0, { scope: '' }],
    ['is an empty list', 0, { scope: [] }],
    ['is an object', 0, { scope: { THREADS_READ: true } }],
    ['is null', 0, { scope: null }],
  ])('whose scope claim %s gets %i scopes', async (_name, count, claims) => {
    const { data } = await who(await provider.token(claims));
    expect(data.viewer.scopes).toHaveLength(count);
  });

  test('sees the same data as a session token of the same user', async () => {
    const session = await app.client.as('dora');
    await session.createThread({ title: 'One' });
    const outside = new Client(app.url, await provider.token({ sub: 'dora' }));
    expect((await outside.data('{ threads { nodes { title owner } } }')).threads.nodes).toEqual([
      { title: 'One', owner: 'dora' },
    ]);
  });

  test('is verified with cached keys', async () => {
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
    ['signed with another key', async () => provider.token({}, (await generateKeyPair('ES256')).privateKey)],
    ['without a user', () => provider.token({ sub: undefined })],
    ['with a numeric user', () => provider.token({ sub: 7 })],
    ['with a null character in its user', () => provider.token({ sub: 'a\u0000b' })],
    ['with a user of 257 characters', () => provider.token({ sub: 'x'.repeat(257) })],
    ['that is not valid yet', () => provider.token({ nbf: Math.floor(Date.now() / 1000) + 600 })],
  ])('%s is refused', async (_name, make) => {
    expect((await who(await make())).errors?.[0]?.extensions).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'UNKNOWN',
    });
  });

  test('is refused as expired after its expiry', async () => {
    const { errors } = await who(await provider.token({}, undefined, '-1s'));
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'EXPIRED' });
  });

  test('enters no other workspace', async () => {
    const { workspace } = await app.client.mutate('createWorkspace', { name: 'Other' }, 'workspace { id }');
    const { errors } = await who(await provider.token(), workspace.id);
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });
});

test('configured claim names select the user, workspace and scopes', async () => {
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
  // A missing or wrong claim never falls back to another workspace.
  for (const wrong of [undefined, 'ws_01h455vb4pex5vsknk084sn02q', 'nonsense', 7]) {
    const { errors } = await ask(await provider.token({ ...claims, 'https://example.com/workspace': wrong }));
    expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
  }
});

describe('while the provider is unreachable', () => {
  const adminKey = 'eyes-only-key-of-the-operator';
  const gone = new IdentityProvider();
  let token: string;
  const other = useApp({
    environment: async () => {
      await gone.start();
      const { issuer } = gone;
      token = await gone.token();
      await gone.stop();
      return { OIDC_ISSUER: issuer, OIDC_AUDIENCE: 'graph', ADMIN_KEY: adminKey };
    },
  });

  test('its tokens are refused and API keys work', async () => {
    const { data, errors } = await new Client(other.url, token).send('{ viewer { kind } }');
    expect([data ?? null, errors?.[0]?.extensions.code]).toEqual([null, 'INTERNAL_SERVER_ERROR']);
    const { client } = await other.client.createKey({ scopes: ['THREADS_READ'] });
    expect((await client.data('{ viewer { kind } }')).viewer.kind).toBe('API_KEY');
  });

  test('an admin key that looks like a token prefix works as a key', async () => {
    const { viewer } = await new Client(other.url, adminKey).data('{ viewer { kind apiKey { prefix } } }');
    // No part of a key chosen by the operator is shown.
    expect(viewer).toEqual({ kind: 'API_KEY', apiKey: { prefix: '' } });
  });
});

test('a provider that hangs delays only its own users', async () => {
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
  // Its cached keys are stale now, so they are read again; the provider does not respond.
  const asked = hanging.hang();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 });
  try {
    await asked;
    await other.client.mutate('revokeApiKey', { id: key.id }, 'apiKey { id }');
    expect(await myWords).toContain('"reason":"REVOKED"');
    // The server is still waiting for the provider.
    expect(hanging.isGivenUp).toBe(false);
    vi.setSystemTime(Date.now() + 5000);
    expect(await theirWords).toContain('"reason":"EXPIRED"');
  } finally {
    vi.useRealTimers();
    await hanging.stop();
  }
});

test('without a configured provider its tokens are refused', async () => {
  await using other = await startTestApp();
  const { errors } = await new Client(other.url, await provider.token()).send('{ viewer { kind } }');
  expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
});
