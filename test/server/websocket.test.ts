import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp } from '../support/app.ts';
import { Client } from '../support/client.ts';
import { openSocket } from '../support/raw-socket.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();

/** Sends messages in order on a new socket; returns the replies and the close code. */
async function talk(
  messages: object[],
  replies: number,
): Promise<{ received: Array<{ type: string; id?: string; payload?: unknown }>; code: number | null }> {
  const socket = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  const received: Array<{ type: string; id?: string; payload?: unknown }> = [];
  let code: number | null = null;
  const over = new Promise<void>((resolve) => {
    socket.on('close', (closed) => {
      code = closed;
      resolve();
    });
    socket.on('message', (data) => {
      received.push(JSON.parse(String(data)));
      if (received.length === 1) for (const message of messages.slice(1)) socket.send(JSON.stringify(message));
      if (received.length === replies) resolve();
    });
  });
  socket.send(JSON.stringify(messages[0]));
  await over;
  socket.terminate();
  return { received, code };
}

const operation = (query: string, extensions?: object) => ({
  id: '1',
  type: 'subscribe',
  payload: { query, extensions },
});

test('queries and mutations also work over a socket', async () => {
  const init = { type: 'connection_init', payload: { authorization: `Bearer ${app.client.key}` } };
  const { received } = await talk([init, operation('{ viewer { kind } }')], 3);
  expect(received).toMatchObject([
    { type: 'connection_ack' },
    { type: 'next', payload: { data: { viewer: { kind: 'API_KEY' } } } },
    { type: 'complete' },
  ]);
});

test('a socket can authenticate with its first operation, as GraphiQL does', async () => {
  const headers = { Authorization: `Bearer ${app.client.key}` };
  const { received } = await talk([{ type: 'connection_init' }, operation('{ viewer { kind } }', { headers })], 3);
  expect(received[1]).toMatchObject({ type: 'next', payload: { data: { viewer: { kind: 'API_KEY' } } } });
});

test('a socket without a valid credential is refused', async () => {
  const { received } = await talk([{ type: 'connection_init' }, operation('{ viewer { kind } }')], 2);
  expect(received[1]).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  const wrong = { type: 'connection_init', payload: { authorization: 'Bearer ag_wrong' } };
  expect((await talk([wrong], 1)).code).toBe(4403);
});

test('a syntax error or an unknown field is reported and leaves the socket open', async () => {
  const init = { type: 'connection_init', payload: { authorization: `Bearer ${app.client.key}` } };
  for (const query of ['{ viewer {', '{ nonsense }']) {
    const { received, code } = await talk([init, operation(query)], 2);
    expect(received[1]).toMatchObject({
      type: 'error',
      payload: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
    });
    expect(code).toBeNull();
  }
});

test('a socket acts in the workspace that it names', async () => {
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Other' }, 'workspace { id }');
  const there = new Client(app.url, app.client.key, workspace.id);
  const [event] = await Promise.all([there.subscribe('{ workspace { name } }', {}, 'workspace').next()]);
  expect(event.value).toEqual({ name: 'Other' });
});

test('a refused upgrade ends its connection, also when the client resets or never closes it', async () => {
  await using strict = await startTestApp({ CORS_ORIGINS: 'https://app.example' });
  const { port } = new URL(strict.url);
  const upgrade = (path: string, origin = '') =>
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${origin}\r\n`;
  for (const request of [upgrade('/nowhere'), upgrade('/graphql', 'Origin: https://evil.example\r\n')]) {
    const reset = connect(Number(port));
    reset.write(request, () => reset.resetAndDestroy());
    await once(reset, 'close');
    const halfOpen = connect({ port: Number(port), allowHalfOpen: true });
    halfOpen.write(request);
    const [answer] = await once(halfOpen, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 40[34] /);
    halfOpen.resume();
    await once(halfOpen, 'end');
    // The server has closed the connection: further writes cause a reset.
    halfOpen.on('error', () => {});
    while (!halfOpen.destroyed) await new Promise<void>((resolve) => halfOpen.write('more', () => resolve()));
  }
  expect(await (await fetch(`${strict.url}/health`)).json()).toEqual({ status: 'ok' });
});

test('a server that stops does not wait for a socket that never answers', async () => {
  const silent = await startTestApp();
  const { port } = new URL(silent.url);
  const socket = connect(Number(port));
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
  const protocol = 'Sec-WebSocket-Protocol: graphql-transport-ws\r\n';
  socket.write(
    `GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${key}${protocol}\r\n`,
  );
  await once(socket, 'data');
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  await silent.stop();
  await closed;
  expect(socket.destroyed).toBe(true);
  // The protocol library alone would wait 30 s for the client's close frame.
}, 20_000);

test('simultaneous first operations run as the first actor or are refused', async () => {
  const [alice, bob] = [await app.client.as('alice'), await app.client.as('bob')];
  const ask = (id: string, { key }: Client) => ({
    ...operation('{ viewer { userId } }', { headers: { authorization: `Bearer ${key}` } }),
    id,
  });
  const { received } = await talk([{ type: 'connection_init' }, ask('a', alice), ask('b', bob), ask('c', alice)], 6);
  expect(received.filter(({ type }) => type === 'next')).toMatchObject([
    { id: 'a', payload: { data: { viewer: { userId: 'alice' } } } },
    { id: 'c', payload: { data: { viewer: { userId: 'alice' } } } },
  ]);
  expect(received.filter(({ type }) => type === 'error')).toMatchObject([
    { id: 'b', payload: [{ extensions: { code: 'UNAUTHENTICATED', reason: 'RIGHTS_CHANGED' } }] },
  ]);
});

test('a socket accepts a valid credential after an invalid one', async () => {
  const { key } = await app.client.as('alice');
  const ask = (id: string, secret: string) => ({
    ...operation('{ viewer { userId } }', { headers: { authorization: `Bearer ${secret}` } }),
    id,
  });
  const { received } = await talk([{ type: 'connection_init' }, ask('a', 'wrong'), ask('b', key)], 4);
  const payload = expect.objectContaining({ data: { viewer: { userId: 'alice' } } });
  expect(received).toContainEqual({ id: 'b', type: 'next', payload });
  expect(received.find(({ type }) => type === 'error')).toMatchObject({ id: 'a' });
});

test('/health, /ready and the redirect to GraphiQL work', async () => {
  expect(await (await fetch(`${app.url}/health`)).json()).toEqual({ status: 'ok' });
  expect(await (await fetch(`${app.url}/ready`)).json()).toEqual({ status: 'ready' });
  expect((await fetch(`${app.url}/`, { redirect: 'manual' })).headers.get('location')).toBe('/graphql');
  expect((await fetch(`${app.url}/nothing`)).status).toBe(404);
});

test('an operation id can be reused after its operation ended; reusing it earlier closes the socket', async () => {
  const { id: threadId } = await app.client.createThread();
  const query = 'subscription($id: ID!) { threadEvents(threadId: $id) { __typename } }';
  const patient = await openSocket(app.client);
  for (let time = 1; time <= 3; time += 1) {
    patient.send('r', '{ viewer { kind } }');
    await vi.waitUntil(() => patient.of('r').length === 2 * time, 10_000);
  }
  const hasty = await openSocket(app.client);
  for (let time = 0; time < 3; time += 1) {
    hasty.send('r', query, { id: threadId });
    hasty.socket.send(JSON.stringify({ id: 'r', type: 'complete' }));
  }
  expect((await hasty.closed).code).toBe(4409);
  await expect.poll(() => app.app.services.feeds.count).toBe(0);
  patient.send('r', '{ viewer { kind } }');
  await vi.waitUntil(() => patient.of('r').length === 8, 10_000);
  patient.socket.terminate();
});
