import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp, type TestApp } from '../support/app.ts';
import { fastTiming } from '../support/timing.ts';

let app: TestApp;
beforeAll(async () => {
  const socket = { ...fastTiming.socket, credentialMs: 300, openStreamMs: 300 };
  app = await startTestApp({ MAX_SOCKETS_PER_USER: '1' }, { timing: { ...fastTiming, socket } });
});
afterAll(() => app.stop());

test('a socket that sends no credential in time is closed with 4401', async () => {
  const socket = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init' }));
  const [code, reason] = await once(socket, 'close');
  expect([code, String(reason)]).toEqual([4401, 'Unauthorized']);
});

test('a reserved event stream that is not opened in time is discarded, and no longer counts for its user', async () => {
  const { headers } = await app.client.as('alice');
  const send = (method: string, more: object = {}) =>
    fetch(`${app.url}/graphql`, { method, headers: { ...headers, ...more } });
  const token = await (await send('PUT')).text();
  expect((await send('PUT')).status).toBe(429);
  await expect.poll(async () => (await send('PUT')).status).toBe(201);
  const opening = { accept: 'text/event-stream', 'x-graphql-event-stream-token': token };
  expect((await send('GET', opening)).status).toBe(404);
});
