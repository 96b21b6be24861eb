import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { hasMoreValues } from '../../src/server/json-values.ts';
import { serverLimits } from '../../src/server/limits.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();
const query = '{ viewer { __typename } }';
const lists = `[${'[],'.repeat(serverLimits.jsonValues)}0]`;

test.each([
  ['variables', `{"query":"${query}","variables":{"x":${lists}}}`],
  ['extensions', `{"query":"${query}","extensions":{"x":${lists}}}`],
  ['an unknown name', `{"x":${lists},"query":"${query}"}`],
])('a body with too many values in %s is refused before it is parsed', async (_name, body) => {
  const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers: app.client.headers, body });
  expect(response.status).toBe(413);
  const { errors } = (await response.json()) as { errors: Array<{ message: string; extensions: object }> };
  expect(errors).toEqual([
    {
      message: 'The request has more than 100000 JSON values. Send it in several requests.',
      extensions: { code: 'BAD_USER_INPUT' },
    },
  ]);
});

test('the operation of an upload with too many values is refused', async () => {
  const { 'content-type': _type, ...headers } = app.client.headers;
  const form = new FormData();
  form.append('operations', `{"query":"${query}","variables":{"x":${lists}}}`);
  form.append('map', '{"0":["variables.file"]}');
  form.append('0', new File(['x'], 'x.txt'));
  const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: form });
  expect(response.status).toBe(413);
});

test('a socket that sends a message with too many values is closed, and the server goes on', async () => {
  const socket = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const { authorization } = app.client.headers;
  socket.once('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } })));
  socket.once('message', () =>
    socket.send(`{"id":"1","type":"subscribe","payload":{"query":"${query}","variables":{"x":${lists}}}}`),
  );
  expect(await closed).toBe(1009);
  expect((await app.client.send(query)).data).toBeDefined();
});

test('a large body that is no JSON is refused', async () => {
  const headers = { ...app.client.headers, 'content-type': 'application/x-www-form-urlencoded' };
  const body = `query=${encodeURIComponent(query)}&x=${'x'.repeat(serverLimits.formBytes)}`;
  const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body });
  expect(response.status).toBe(413);
});

test('a text as large as a body may be is accepted, whatever it contains', async () => {
  const text = '[{,\\"文🙂'.repeat(30_000);
  const { id } = await app.client.createThread({ messages: Array(8).fill({ text }) });
  const { data } = await app.client.send('query($id: ID!) { thread(id: $id) { lastMessage { text } } }', { id });
  expect(data.thread.lastMessage.text).toBe(text);
});

test.each([
  ['[1,2,3]', 4],
  ['{"a":[],"b":{}}', 5],
  ['["\\\\","\\",,,",0]', 4],
  ['"文,\\u002c,"', 1],
])('counts the brackets and commas of %s, and one', (json, count) => {
  // Longer than the limit, so that the text is scanned.
  const padded = Buffer.from(json + ' '.repeat(10));
  expect(hasMoreValues(padded, count - 1)).toBe(count > 1);
  expect(hasMoreValues(padded, count)).toBe(false);
});

test('a text with a string that does not end is left to the parser', () => {
  expect(hasMoreValues(Buffer.from(`["${','.repeat(50)}`), 10)).toBe(false);
});
