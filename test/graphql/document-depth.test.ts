import { expect, test } from 'vitest';
import type { Answer, Client } from '../support/client.ts';
import { openSocket } from '../support/raw-socket.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();

const list = (depth: number) => `{ nodes(ids: ${'['.repeat(depth)}"x"${']'.repeat(depth)}) { id } }`;
const object = (depth: number) => `{ threads(filter: ${'{a:'.repeat(depth)}1${'}'.repeat(depth)}) { totalCount } }`;
const selection = (depth: number) => `${'{ a '.repeat(depth)}${'}'.repeat(depth)}`;
const type = (depth: number) => `query($v: ${'['.repeat(depth)}Int${']'.repeat(depth)}) { viewer { kind } }`;

/** Documents that overflow the stack of the parser, or nest `depth` deep. */
const deepDocuments = (depth?: number) => [
  list(depth ?? 4000),
  object(depth ?? 2400),
  selection(depth ?? 2400),
  type(depth ?? 4000),
];

type Errors = Answer['errors'];

/** Each transport, as a function that sends a document and returns the errors of its response. */
const transports: Array<[string, (client: Client, query: string) => Promise<Errors>]> = [
  ['JSON', async (client, query) => (await client.send(query)).errors],
  ['GET', async (client, query) => get(client, query, {})],
  [
    'GET of a GraphQL response',
    async (client, query) => get(client, query, { accept: 'application/graphql-response+json' }),
  ],
  ['event stream', async (client, query) => eventErrors(await (await client.stream(query)).text())],
  ['a request without a credential', async ({ url }, query) => post(url, query, {})],
  [
    'multipart response',
    async (client, query) => post(client.url, query, { ...client.headers, accept: 'multipart/mixed' }),
  ],
  ['WebSocket', socketErrors],
];

async function get(client: Client, query: string, headers: object): Promise<Errors> {
  const url = `${client.url}/graphql?query=${encodeURIComponent(query)}`;
  // A GET needs its credential and a header that no form can send.
  const all = { ...client.headers, 'graphql-require-preflight': '1', ...headers };
  return errorsIn(await (await fetch(url, { headers: all })).text());
}

async function post(url: string, query: string, headers: Record<string, string>): Promise<Errors> {
  const all = { 'content-type': 'application/json', ...headers };
  const response = await fetch(`${url}/graphql`, { method: 'POST', headers: all, body: JSON.stringify({ query }) });
  return errorsIn(await response.text());
}

const errorsIn = (text: string): Errors => JSON.parse(/\{"errors".*\}/s.exec(text)?.[0] ?? '{}').errors;
const eventErrors = (text: string): Errors => errorsIn(/^data: ?(.+)$/m.exec(text)?.[1] ?? text);

async function socketErrors(client: Client, query: string): Promise<Errors> {
  const socket = await openSocket(client);
  socket.send('1', query);
  await expect.poll(() => socket.of('1').length).toBeGreaterThan(0);
  socket.socket.terminate();
  return socket.of('1')[0]?.payload;
}

test.each(transports)('a document that nests too deep is refused by its depth: %s', async (name, send) => {
  // A URL holds a smaller document.
  for (const query of deepDocuments(name.startsWith('GET') ? 1000 : undefined)) {
    const [error] = (await send(app.client, query)) ?? [];
    expect(error?.extensions.code).toBe('QUERY_TOO_COMPLEX');
    expect(error?.message).toContain('nest deeper than the limit of 200');
  }
});

test('brackets in strings and comments do not count', async () => {
  const brackets = '[{('.repeat(500);
  const query = `# ${brackets}\n{ text: thread(id: "\\"${brackets}") { id } block: thread(id: """\\"""${brackets}""") { id } }`;
  const { data } = await app.client.send(query);
  expect(data).toEqual({ text: null, block: null });
});

test('a string or comment without an end is a syntax error', async () => {
  for (const query of ['{ thread(id: "', '{ thread(id: """', '{ # }', `{ thread(id: "\\`]) {
    const { errors } = await app.client.send(query);
    expect(errors?.[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
  }
});

test('variables that nest too deep are refused', async () => {
  const nested = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`);
  const mutation = 'mutation($input: CreateThreadInput!) { createThread(input: $input) { __typename } }';
  const { errors } = await app.client.send(mutation, { input: { metadata: nested } });
  expect(errors?.[0]).toMatchObject({
    message: expect.stringContaining('nested deeper than the limit of 200'),
    extensions: { code: 'BAD_USER_INPUT' },
  });
  const socket = await openSocket(app.client);
  socket.send('1', 'subscription($id: ID!) { threadEvents(threadId: $id) { __typename } }', { id: 'x', more: nested });
  await expect.poll(() => JSON.stringify(socket.of('1'))).toContain('nested deeper');
  socket.socket.terminate();
});

const repeated: Array<[string, string]> = [
  ['a field', `{ ${'__typename '.repeat(9000)} }`],
  ['a field with a selection', `{ ${'viewer { kind } '.repeat(2000)} }`],
  [
    'a field with arguments',
    `{ ${'threads(filter: { search: "abc", metadata: { a: "1" } }) { totalCount } '.repeat(300)} }`,
  ],
  [
    'a field in a fragment',
    `query($id: ID!) { ${'thread(id: $id) { ...F } '.repeat(600)} } fragment F on Thread { id title lastMessage { id } }`,
  ],
  [
    'fragments',
    `{ ${Array.from({ length: 1000 }, (_, index) => `...F${index}`).join(' ')} }
     ${Array.from({ length: 1000 }, (_, index) => `fragment F${index} on Query { __typename }`).join(' ')}`,
  ],
];

test.each(repeated)('a document that repeats %s very often is refused before it is validated', async (_name, query) => {
  const { errors } = await app.client.send(query, {});
  expect(errors?.[0]).toMatchObject({
    message: expect.stringContaining('repeats'),
    extensions: { code: 'QUERY_TOO_COMPLEX' },
  });
});

test('a list is streamed from a number of 0 or more', async () => {
  const query = (count: string, variables = '') =>
    `query${variables} { nodes(ids: []) @stream(initialCount: ${count}) { id } }`;
  const send = async (text: string, variables: object = {}) => {
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { ...app.client.headers, accept: 'multipart/mixed' },
      body: JSON.stringify({ query: text, variables }),
    });
    return errorsIn(await response.text())?.map(({ extensions }) => extensions.code);
  };
  for (const count of ['-5', 'null']) expect(await send(query(count))).toEqual(['BAD_USER_INPUT']);
  for (const count of ['1.5', 'NaN', '99999999999'])
    expect(await send(query(count))).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  expect(await send(query('$n', '($n: Int)'), { n: -5 })).toEqual(['BAD_USER_INPUT']);
  expect(await send(query('$n', '($n: Int)'), { n: null })).toEqual(['BAD_USER_INPUT']);
  expect(await send(query('$n', '($n: Int = -1)'))).toEqual(['BAD_USER_INPUT']);
  expect(await send(query('$n', '($n: Int = -1)'), { n: 2 })).toBeUndefined();
  expect(await send(query('2147483647'))).toBeUndefined();
});

test('an error does not repeat a long value', async () => {
  const long = 'x'.repeat(100_000);
  const input = await app.client.send('query($first: Int) { threads(first: $first) { totalCount } }', { first: long });
  const metadata = await app.client.send(
    'mutation($input: CreateThreadInput!) { createThread(input: $input) { __typename } }',
    { input: { metadata: { [long]: 1 } } },
  );
  const syntax = await app.client.send(`{ viewer { kind } } ${long}`);
  const unknown = await app.client.send(`{ ${long} }`);
  for (const { errors } of [input, metadata, syntax, unknown]) {
    expect(errors?.[0]?.extensions.code).toMatch(/BAD_USER_INPUT|GRAPHQL_VALIDATION_FAILED/);
    expect(JSON.stringify(errors).length).toBeLessThan(2000);
  }
});
