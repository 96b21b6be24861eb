import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp, type TestApp } from '../support/app.ts';
import { all, joined, until } from '../support/client.ts';
import { ModelServer } from '../support/model-server.ts';
import { openSocket } from '../support/raw-socket.ts';
import { fastTiming } from '../support/timing.ts';

const liveness = { silentMs: 1500, idleMs: 600_000 };
const timing = { ...fastTiming, socket: { ...fastTiming.socket, livenessMs: 100 } };
let model: ModelServer;
let app: TestApp;
beforeAll(async () => {
  model = await ModelServer.start();
  app = await startTestApp({ OPENAI_BASE_URL: model.baseURL, MAX_SOCKETS_PER_USER: '1' }, { liveness, timing });
});
afterAll(async () => {
  await app.stop();
  await model[Symbol.asyncDispose]();
});

const follow =
  'subscription($id: ID!) { runEvents(runId: $id) { __typename ... on Event { cursor } ... on MessageDelta { text } ... on RunStatusChanged { status } } }';

/** Far more than the buffers of the system hold on both sides of a socket: 16 MB. */
const piece = `${'写 🙂 w'.repeat(1000)}\n`;
const pieces = 1500;

/** A model that writes a long text in many pieces, as fast as it is taken; the rest of it after `goOn`. */
function writeMuch({ isHalting = false } = {}): { goOn: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (!isHalting) resolve();
  model.answers(async (respond) => {
    await respond.text(piece);
    await promise;
    for (let index = 1; index < pieces; index += 1) await respond.text(piece);
    await respond.end();
  });
  return { goOn: resolve };
}

test('a reader that pauses on an answer of many megabytes keeps nobody waiting, and catches up in a few pieces', async () => {
  await using patient = await startTestApp({ OPENAI_BASE_URL: model.baseURL });
  const { goOn } = writeMuch({ isHalting: true });
  const run = await patient.client.ask('Go');
  const slow = await openSocket(patient.client);
  slow.send('1', follow, { id: run.id });
  await vi.waitUntil(() => slow.heard.some(({ payload }) => payload?.data?.runEvents.text), 10_000);
  slow.socket.pause();
  goOn();
  const other = await all(patient.client.follow(run.id));
  expect(joined(other)).toBe(piece.repeat(pieces));
  slow.socket.resume();
  await vi.waitUntil(() => slow.heard.at(-1)?.type === 'complete', 20_000);
  const events = slow.heard.flatMap(({ payload }) => payload?.data?.runEvents ?? []);
  expect(joined(events)).toBe(piece.repeat(pieces));
  expect(events.at(-1).status).toBe('COMPLETED');
  // What the system's own buffers took while it slept came as it was; all the rest is joined.
  const longest = Math.max(...events.map(({ text = '' }) => text.length));
  expect(longest).toBeGreaterThan(100 * piece.length);
  slow.socket.terminate();
});

test('a client that neither reads nor answers is given up, with a code, and others are not', async () => {
  writeMuch();
  const run = await app.client.ask('Go');
  const slow = await openSocket(app.client);
  const other = await openSocket(app.client);
  slow.send('1', follow, { id: run.id });
  slow.send('2', `subscription { threadEvents(threadId: "${run.thread.id}") { __typename } }`);
  await vi.waitUntil(() => slow.heard.length > 1, 10_000);
  slow.socket.pause();
  // This one reads, and so hears what both are told.
  const mute = await openSocket(app.client, { autoPong: false });
  expect(await mute.closed).toEqual({ code: 4410, reason: 'Nothing was read or answered for too long' });
  await expect.poll(() => app.app.services.feeds.count, { timeout: 30_000 }).toBe(0);
  slow.socket.resume();
  // Whether the last words still fit into what it had not read is another matter.
  expect([4410, 1006]).toContain((await slow.closed).code);
  other.send('1', '{ viewer { kind } }');
  await vi.waitUntil(() => other.heard.at(-1)?.type === 'complete', 10_000);
  other.socket.terminate();
});

test('whoever asks without reading the answers is not heard until they are read', async () => {
  const greedy = await openSocket(app.client);
  greedy.socket.pause();
  // Some kilobytes each, far more than sockets of the system hold.
  const query = `{ ${Array.from({ length: 100 }, (_, index) => `a${index}: models { id contextWindow }`).join(' ')} }`;
  let asked = 0;
  while (greedy.socket.bufferedAmount === 0 && asked < 100_000) {
    for (let index = 0; index < 100; index += 1) {
      asked += 1;
      greedy.send(String(asked), query);
    }
    await delay(1);
  }
  // What the server does not take stays with the client.
  expect(greedy.socket.bufferedAmount).toBeGreaterThan(0);
  greedy.socket.resume();
  await vi.waitUntil(() => greedy.heard.filter(({ type }) => type !== 'next').length >= asked, 50_000);
  const answered = greedy.heard.filter(({ type }) => type === 'complete').length;
  const refused = greedy.heard.filter(({ type }) => type === 'error');
  expect(answered).toBeGreaterThan(0);
  expect(refused.every(({ payload }) => payload[0].extensions.code === 'RATE_LIMITED')).toBe(true);
  greedy.socket.terminate();
});

test('whoever has not even said who it is is not heard beyond what it reads', async () => {
  const url = `${app.url.replace('http', 'ws')}/graphql`;
  const flood = new WebSocket(url, 'graphql-transport-ws');
  await once(flood, 'open');
  flood.pause();
  // Each is answered with as much.
  const ping = JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(1_000_000) } });
  for (let sent = 0; sent < 60; sent += 1) flood.send(ping);
  // A second is far more than all of it would take.
  await delay(1000);
  expect(flood.bufferedAmount).toBeGreaterThan(30_000_000);
  flood.terminate();
});

test('a socket that wants nothing is closed after a while, and one that waits for something is not', async () => {
  await using app = await startTestApp({}, { liveness: { ...liveness, silentMs: 60_000, idleMs: 2000 }, timing });
  const thread = await app.client.createThread();
  const busy = await openSocket(app.client);
  busy.send('1', `subscription { threadEvents(threadId: "${thread.id}") { __typename } }`);
  const brisk = await openSocket(app.client);
  const asking = setInterval(() => brisk.send(String(brisk.heard.length), '{ viewer { kind } }'), 20);
  const idle = await openSocket(app.client);
  expect(await idle.closed).toEqual({ code: 1000, reason: 'Idle' });
  clearInterval(asking);
  expect(brisk.heard.length).toBeGreaterThan(10);
  expect(brisk.socket.readyState).toBe(brisk.socket.OPEN);
  await app.client.mutate('createMessage', { threadId: thread.id, message: { text: 'Hello' } }, 'message { id }');
  await vi.waitUntil(() => busy.heard.at(-1)?.payload?.data.threadEvents.__typename === 'MessageAdded', 10_000);
  busy.socket.terminate();
  brisk.socket.terminate();
});

test('a user has so many sockets open, and is told to come again for more', async () => {
  const alice = await app.client.as('alice');
  const first = await openSocket(alice);
  expect(await (await openSocket(alice)).closed).toEqual({ code: 1013, reason: 'Too many sockets' });
  const bob = await openSocket(await app.client.as('bob'));
  expect(bob.heard).toEqual([{ type: 'connection_ack' }]);
  first.socket.close();
  await first.closed;
  await vi.waitUntil(async () => {
    const again = await openSocket(alice);
    const isIn = again.heard.length > 0;
    again.socket.close();
    await again.closed;
    return isIn;
  }, 10_000);
  bob.socket.terminate();
});

test('a client that goes without a word is noticed', async () => {
  const thread = await app.client.createThread();
  const lost = await openSocket(app.client);
  lost.send('1', `subscription { threadEvents(threadId: "${thread.id}") { __typename } }`);
  await expect.poll(() => app.app.services.feeds.count).toBe(1);
  // Its connection stays open, and nobody is there: no answer to a ping, and nothing read.
  lost.socket.pause();
  await expect.poll(() => app.app.services.feeds.count).toBe(0);
  lost.socket.terminate();
});

test('a reader of an event stream that stops reading is given up, and what it followed is let go', async () => {
  writeMuch();
  const run = await app.client.ask('Go');
  const socket = connect(Number(new URL(app.url).port));
  const body = JSON.stringify({ query: follow, variables: { id: run.id } });
  const headers = `Host: x\r\nAuthorization: Bearer ${app.client.key}\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n`;
  socket.write(`POST /graphql HTTP/1.1\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`);
  await once(socket, 'data');
  socket.pause();
  await until(app.client.follow(run.id), ({ status }) => status === 'COMPLETED');
  await expect.poll(() => app.app.services.feeds.count).toBe(0);
  socket.destroy();
});

test('a server that stops tells its clients to come back: sockets by a code, streams by breaking off', async () => {
  const leaving = await startTestApp();
  const thread = await leaving.client.createThread();
  const query = `subscription { threadEvents(threadId: "${thread.id}") { __typename ... on Event { cursor } } }`;
  const socket = await openSocket(leaving.client);
  socket.send('1', query);
  const stream = await leaving.client.stream(query);
  await leaving.client.mutate('createMessage', { threadId: thread.id, message: { text: 'Hello' } }, 'message { id }');
  await vi.waitUntil(() => socket.heard.length > 1, 10_000);
  // A stream that has ended for good says so; this one has not.
  const broken = expect(stream.text()).rejects.toThrow();
  await leaving.stop();
  expect(await socket.closed).toEqual({ code: 1001, reason: 'Going away' });
  expect(socket.heard.some(({ type }) => type === 'complete')).toBe(false);
  await broken;
});
