import { once } from 'node:events';
import { getIntrospectionQuery } from 'graphql';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp, type TestApp } from '../support/app.ts';
import { useApp } from '../support/use-app.ts';

const friend = 'https://app.example.com';
const app = useApp({ environment: { CORS_ORIGINS: `${friend}, http://localhost:5173` } });
const production = useApp({ environment: { NODE_ENV: 'production' } });

const ask = (on: TestApp, origin: string, init: RequestInit = {}) =>
  fetch(`${on.url}/graphql`, {
    method: 'POST',
    body: JSON.stringify({ query: '{ viewer { kind } }' }),
    ...init,
    headers: { ...on.client.headers, origin, ...init.headers },
  });

describe('a page of another origin', () => {
  test.each([[friend], ['http://localhost:5173']])(
    'that is allowed can read responses and errors: %s',
    async (origin) => {
      for (const init of [{}, { headers: { authorization: 'Bearer wrong' } }, { body: '{' }]) {
        const response = await ask(app, origin, init);
        expect(response.headers.get('access-control-allow-origin')).toBe(origin);
        expect(response.headers.get('vary')).toMatch(/origin/i);
        expect(response.headers.get('access-control-allow-credentials')).toBeNull();
      }
    },
  );

  test('that is allowed gets a preflight response with the required headers', async () => {
    const headers = { origin: friend, 'access-control-request-method': 'POST' };
    const response = await fetch(`${app.url}/graphql`, { method: 'OPTIONS', headers });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe(friend);
    const allowed = response.headers.get('access-control-allow-headers') ?? '';
    for (const header of ['authorization', 'content-type', 'x-workspace']) expect(allowed).toContain(header);
  });

  test.each(['https://evil.example', 'https://app.example.com.evil.example', 'http://app.example.com', 'null'])(
    'that is not allowed can read nothing and open no socket: %s',
    async (origin) => {
      for (const on of [app, production]) {
        for (const method of ['POST', 'OPTIONS']) {
          const response = await ask(on, origin, { method, ...(method === 'OPTIONS' ? { body: undefined } : {}) });
          expect(response.headers.get('access-control-allow-origin')).toBeNull();
        }
        const socket = new WebSocket(`${on.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { origin });
        const [error] = await once(socket, 'error');
        expect(String(error)).toContain('403');
      }
    },
  );

  test('does not matter to same-origin pages and programs: they can always open sockets', async () => {
    for (const origin of [production.url, undefined]) {
      const socket = new WebSocket(`${production.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
        origin,
      });
      await once(socket, 'open');
      socket.terminate();
    }
  });
});

describe('a request that a browser sends without a preflight', () => {
  const simple: Array<[string, RequestInit & { search?: string }]> = [
    [
      'a form',
      { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'query={__typename}' },
    ],
    ['a text body', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"query":"{__typename}"}' }],
    [
      'a text body that also claims to be JSON',
      { method: 'POST', headers: { 'content-type': 'text/plain; application/json' }, body: '{"query":"{__typename}"}' },
    ],
    ['an upload', { method: 'POST', body: Object.assign(new FormData()) }],
    ['a link', { method: 'GET', search: '?query={__typename}' }],
  ];
  test.each(simple)('is refused: %s', async (_name, { search = '', ...init }) => {
    const response = await fetch(`${app.url}/graphql${search}`, init);
    expect(response.status).toBe(403);
    expect((await response.json()).errors[0]).toMatchObject({
      message: expect.stringContaining('graphql-require-preflight'),
      extensions: { code: 'FORBIDDEN' },
    });
  });

  test('is accepted with a header that requires a preflight', async () => {
    const headers = { 'graphql-require-preflight': '1', accept: 'application/json' };
    const response = await fetch(`${app.url}/graphql?query={__typename}`, { headers });
    expect(await response.json()).toEqual({ data: { __typename: 'Query' } });
  });
});

test('the GraphiQL page loads no foreign resources, cannot be framed and connects to this server only', async () => {
  const response = await fetch(`${app.url}/graphql`, { headers: { accept: 'text/html' } });
  expect(response.status).toBe(200);
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toContain("connect-src 'self'");
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(response.headers.get('x-frame-options')).toBe('SAMEORIGIN');
  expect(response.headers.get('referrer-policy')).toBe('no-referrer');
});

test('a client without a credential can read the schema, but not repeatedly in one query', async () => {
  const anonymous = Object.assign(app.in(''), { key: '' });
  const whole = await anonymous.send(getIntrospectionQuery({ descriptions: true, inputValueDeprecation: true }));
  expect(whole.errors).toBeUndefined();
  expect(whole.data.__schema.types.length).toBeGreaterThan(100);
  const types = 'types { name description fields { name description type { name } } }';
  const often = Array.from({ length: 20 }, (_, index) => `a${index}: __schema { ${types} }`).join(' ');
  const within = Array.from({ length: 20 }, (_, index) => `a${index}: ${types}`).join(' ');
  const spread = `fragment All on __Schema { ${types} } query { ${often.replaceAll(types, '...All')} }`;
  for (const query of [`{ ${often} }`, `{ __schema { ${within} } }`, spread]) {
    const { errors = [] } = await anonymous.send(query);
    expect(errors.map(({ extensions }) => extensions.code)).toEqual(['QUERY_TOO_COMPLEX']);
  }
  const loop = await anonymous.send('fragment All on __Schema { ...All } { __schema { ...All } }');
  expect(loop.errors?.[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
});

describe('in production', () => {
  test('GraphiQL is not served', async () => {
    const response = await fetch(`${production.url}/graphql`, { headers: { accept: 'text/html' } });
    expect(response.status).not.toBe(200);
    expect(await response.text()).not.toContain('<html');
  });

  test('the schema is hidden: no introspection, no types and no suggestions, with or without a key', async () => {
    for (const key of [production.client.key, '']) {
      for (const query of [
        '{ __schema { types { name } } }',
        '{ __type(name: "Thread") { name } }',
        '{ workspac { id } }',
      ]) {
        const { data, errors = [] } = await Object.assign(production.in(''), { key }).send(query);
        expect([data ?? null, errors[0]?.extensions.code]).toEqual([null, expect.stringMatching(/VALIDATION|UNAUTH/)]);
        expect(JSON.stringify(errors)).not.toMatch(/Did you mean|workspaces/);
      }
    }
  });

  test('the schema is readable when a setting allows it', async () => {
    await using open = await startTestApp({ NODE_ENV: 'production', INTROSPECTION: 'true' });
    expect((await open.client.data('{ __type(name: "Thread") { name } }')).__type.name).toBe('Thread');
  });
});
