import { beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '../support/client.ts';
import { LoopTurns } from '../support/loop-turns.ts';
import { RawConnection } from '../support/raw-connection.ts';
import { openSocket } from '../support/raw-socket.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();
const longestMs = 250;
let user: Client;

beforeAll(async () => {
  user = await app.client.asUser('mallory');
  // All code is compiled.
  for (let index = 0; index < 20; index += 1) await user.send(fragments(index));
});

/** A document of 140 fragments, which validation compares in pairs. `start`: the fields before them; `type`: theirs. */
function fragments(number: number, start = '{ viewer { __typename }', type = 'Query'): string {
  const names = Array.from({ length: 140 }, (_, index) => `F${number}_${index}`);
  const spreads = names.map((name) => `...${name}`).join(' ');
  const end = '}'.repeat(start.split('{').length - start.split('}').length);
  return `${start} ${spreads} ${end} ${names.map((name) => `fragment ${name} on ${type} { __typename }`).join(' ')}`;
}

const misspelled = (number: number) =>
  `{ ${Array.from({ length: 900 }, (_, index) => `treads${number}_${index}`).join(' ')} }`;

/** Sends as many requests as one connection may pipeline, as one packet. Resolves to the statuses. */
async function pipeline(path: string, headers: Record<string, string>, documents: string[]): Promise<string[]> {
  using connection = await RawConnection.open(app.url);
  const fields = { host: 'localhost', 'content-type': 'application/json', ...headers };
  const requests = documents.map((query, index) => {
    const isLast = index === documents.length - 1;
    const given = { ...fields, ...(isLast && { connection: 'close' }) };
    if (path === 'GET') return `GET /graphql?query=${encodeURIComponent(query)} HTTP/1.1\r\n${lines(given)}\r\n`;
    const body = JSON.stringify({ query });
    return `POST /graphql HTTP/1.1\r\n${lines({ ...given, 'content-length': String(Buffer.byteLength(body)) })}\r\n${body}`;
  });
  connection.send(requests.join(''));
  await connection.closed;
  return [...connection.received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status as string);
}

const lines = (headers: Record<string, string>) =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');

const many = Array.from({ length: 30 }, (_, index) => index);
const json = { accept: 'application/json' };
const preflight = { 'graphql-require-preflight': '1' };

describe('costly documents do not hold the event loop', () => {
  test.each<[string, (number: number) => string, string]>([
    ['data', (number) => fragments(number), '401'],
    ['misspelled fields', misspelled, '401'],
    ['introspection', (number) => fragments(number, '{ __schema { queryType {', '__Type'), '200'],
  ])('of a stranger, for %s', async (_name, document, status) => {
    using turns = new LoopTurns();
    const statuses = await pipeline('POST', json, many.map(document));
    expect(statuses).toEqual(many.map(() => status));
    expect(turns.longestMs).toBeLessThan(longestMs);
  });

  test.each<[string, string, Record<string, string>]>([
    ['POST', 'POST', json],
    ['POST for a GraphQL response', 'POST', { accept: 'application/graphql-response+json' }],
    ['GET', 'GET', { accept: 'application/json', ...preflight }],
  ])('of an end user, by %s', async (_name, method, headers) => {
    using turns = new LoopTurns();
    const documents = many.map((number) => fragments(1000 + number));
    const statuses = await pipeline(method, { ...headers, authorization: `Bearer ${user.key}` }, documents);
    expect(statuses).toHaveLength(many.length);
    expect(statuses).toContain('200');
    expect(turns.longestMs).toBeLessThan(longestMs);
  });

  test('of an end user, over a WebSocket', async () => {
    const { socket, send, received } = await openSocket(user);
    using turns = new LoopTurns();
    for (const number of many) send(String(number), fragments(2000 + number));
    await expect
      .poll(() => received.filter(({ type }) => type === 'complete').length, { timeout: 20_000 })
      .toBe(many.length);
    expect(turns.longestMs).toBeLessThan(longestMs);
    socket.terminate();
  });

  test('in small messages of a WebSocket', async () => {
    const { socket, send, received } = await openSocket(user);
    using turns = new LoopTurns();
    const count = 2000;
    for (let number = 0; number < count; number += 1) send(String(number), `{x${number}}`);
    await expect.poll(() => received.length, { timeout: 20_000 }).toBeGreaterThan(count);
    socket.terminate();
    expect(turns.longestMs).toBeLessThan(longestMs);
  });
});

test('other clients are served in between', async () => {
  const flood = pipeline(
    'POST',
    { ...json, authorization: `Bearer ${user.key}` },
    many.map((number) => fragments(3000 + number)),
  );
  let isFlooding = true;
  void flood.then(() => {
    isFlooding = false;
  });
  let served = 0;
  while (isFlooding) {
    await app.client.data(`{ viewer { __typename } } #${served}`);
    served += 1;
  }
  expect(served).toBeGreaterThan(5);
});

describe('without a credential', () => {
  test.each([
    ['a document of unknown fields', '{ nonsense }'],
    [
      'a document with an operation for data beside introspection',
      'query A { __schema { queryType { name } } } query B { viewer { __typename } }',
    ],
  ])('%s is refused as one for data, before it is validated', async (_name, query) => {
    const response = await fetch(`${app.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, operationName: query.startsWith('query A') ? 'A' : null }),
    });
    const { errors } = (await response.json()) as { errors: Array<{ extensions: object }> };
    expect(response.status).toBe(401);
    expect(errors).toEqual([expect.objectContaining({ extensions: { code: 'UNAUTHENTICATED', reason: 'MISSING' } })]);
  });

  test('introspection is validated and served', async () => {
    const anonymous = Object.assign(app.in(''), { key: '' });
    expect(await anonymous.data('{ __schema { queryType { name } } }')).toEqual({
      __schema: { queryType: { name: 'Query' } },
    });
    const { errors = [] } = await anonymous.send('{ __schema { nonsense } }');
    expect(errors[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
  });
});
