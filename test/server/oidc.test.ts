import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
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

/** An identity provider whose keys are answered as a test says. */
class WildProvider {
  answer: (response: ServerResponse) => unknown = () => {};
  reads = 0;
  #key!: Awaited<ReturnType<typeof generateKeyPair>>;
  #keyId = 0;
  readonly #server = createServer((_request, response) => {
    this.reads += 1;
    this.answer(response);
  });

  async start(): Promise<void> {
    await this.rotate();
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async rotate(): Promise<void> {
    this.#key = await generateKeyPair('RS256');
    this.#keyId += 1;
  }

  async sendKeys(response: ServerResponse): Promise<void> {
    const key = { ...(await exportJWK(this.#key.publicKey)), kid: String(this.#keyId), alg: 'RS256', use: 'sig' };
    response.end(JSON.stringify({ keys: [key] }));
  }

  get #claims() {
    return { iss: this.issuer, aud: 'graph', sub: 'alice', exp: Math.floor(Date.now() / 1000) + 3600 };
  }

  token(claims: object = {}, header: object = {}): Promise<string> {
    const protectedHeader = { alg: 'RS256', kid: String(this.#keyId), ...header };
    return new SignJWT({ ...this.#claims, ...claims }).setProtectedHeader(protectedHeader).sign(this.#key.privateKey);
  }

  unsigned(): string {
    return new UnsecuredJWT(this.#claims).encode();
  }

  async signedWithPublicKey(): Promise<string> {
    const secret = new TextEncoder().encode(await exportSPKI(this.#key.publicKey));
    const header = { alg: 'HS256', kid: String(this.#keyId) };
    return new SignJWT(this.#claims).setProtectedHeader(header).sign(secret);
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
    expect([data ?? null, errors?.[0]?.extensions.code]).toEqual([null, 'UNAVAILABLE']);
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

describe('a provider that misbehaves', () => {
  const wild = new WildProvider();
  let other: TestApp;
  beforeAll(async () => {
    await wild.start();
    other = await startTestApp({
      OIDC_ISSUER: wild.issuer,
      OIDC_AUDIENCE: 'graph',
      OIDC_JWKS_URI: `${wild.issuer}/keys`,
    });
  });
  afterAll(async () => {
    await other.stop();
    await wild.stop();
  });
  const codeOf = async (token: string, at = other) => {
    const { data, errors } = await new Client(at.url, token).send('{ viewer { kind } }');
    return errors?.[0]?.extensions.code ?? data.viewer.kind;
  };

  test.each<[string, WildProvider['answer']]>([
    ['with an error status', (response) => response.writeHead(500).end('{}')],
    ['with a web page', (response) => response.end('<html></html>')],
    ['with something else than keys', (response) => response.end('{"keys":"none"}')],
    [
      'with more keys than anybody has',
      (response) => response.end(JSON.stringify({ keys: Array(101).fill({ kty: 'EC' }) })),
    ],
    ['with a redirect', (response) => response.writeHead(302, { location: wild.issuer }).end()],
    [
      'without an end',
      (response) => {
        const more = () => {
          while (!response.destroyed && response.write('x'.repeat(65_536)));
        };
        response.on('drain', more);
        more();
      },
    ],
  ])('makes its tokens unavailable, and is not asked for each of them: keys %s', async (_name, answer) => {
    wild.answer = answer;
    await using fresh = await startTestApp({
      OIDC_ISSUER: wild.issuer,
      OIDC_AUDIENCE: 'graph',
      OIDC_JWKS_URI: `${wild.issuer}/keys`,
    });
    const before = wild.reads;
    for (let count = 0; count < 20; count += 1) expect(await codeOf(await wild.token(), fresh)).toBe('UNAVAILABLE');
    expect(wild.reads - before).toBeLessThanOrEqual(2);
  });

  test('its tokens with unknown key ids do not make the server read the keys each time', async () => {
    wild.answer = (response) => void wild.sendKeys(response);
    expect(await codeOf(await wild.token())).toBe('USER');
    const before = wild.reads;
    for (let count = 0; count < 30; count += 1) {
      expect(await codeOf(await wild.token({}, { kid: `unknown ${count}` }))).toBe('UNAUTHENTICATED');
    }
    expect(wild.reads - before).toBeLessThanOrEqual(1);
  });

  test('a new key is accepted after the pause between two reads of the keys', async () => {
    wild.answer = (response) => void wild.sendKeys(response);
    expect(await codeOf(await wild.token())).toBe('USER');
    await wild.rotate();
    const token = await wild.token();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    try {
      expect(await codeOf(token)).toBe('USER');
    } finally {
      vi.useRealTimers();
    }
  });

  test.each<[string, (clock: number) => Promise<string>]>([
    ['without a signature', async () => wild.unsigned()],
    ['with the public key as a shared secret', async () => wild.signedWithPublicKey()],
  ])('a token %s is refused', async (_name, make) => {
    wild.answer = (response) => void wild.sendKeys(response);
    expect(await codeOf(await make(0))).toBe('UNAUTHENTICATED');
  });

  test('a token of a provider whose clock is a little ahead is valid, and an expired one is not', async () => {
    wild.answer = (response) => void wild.sendKeys(response);
    const now = Math.floor(Date.now() / 1000);
    expect(await codeOf(await wild.token({ nbf: now + 5, iat: now + 5 }))).toBe('USER');
    expect(await codeOf(await wild.token({ nbf: now + 60 }))).toBe('UNAUTHENTICATED');
    expect(await codeOf(await wild.token({ exp: now - 2 }))).toBe('UNAUTHENTICATED');
  });
});

test('without a configured provider its tokens are refused', async () => {
  await using other = await startTestApp();
  const { errors } = await new Client(other.url, await provider.token()).send('{ viewer { kind } }');
  expect(errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
});
