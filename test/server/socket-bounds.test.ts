import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApp } from '../support/app.ts';
import { all, joined, until } from '../support/client.ts';
import { openSocket } from '../support/raw-socket.ts';
import { fastTiming } from '../support/timing.ts';
import { useApp, useModel } from '../support/use-app.ts';

const liveness = { silentMs: 1500, idleMs: 600_000 };
const timing = { ...fastTiming, socket: { ...fastTiming.socket, livenessMs: 100 } };
/** Room for the long answers of these tests. */
const MAX_ANSWER_BYTES = '16000000';
const model = useModel();
const app = useApp({
  model,
  environment: { MAX_SOCKETS_PER_USER: '1', MAX_ANSWER_BYTES },
  config: { liveness, timing },
});

const follow =
  'subscription($id: ID!) { runEvents(runId: $id) { __typename ... on Event { cursor } ... on MessageDelta { text } ... on RunStatusChanged { status } } }';

/** 100 KB; all of them together exceed the socket buffers of the system on both sides. */
const piece = `${'写 🙂 w'.repeat(10_000)}\n`;
const pieces = 150;

/** Lets the model stream a long text as fast as it is read; with `isHalting`, the first delta waits for `goOn`. */
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

test('a subscriber that pauses delays no other subscriber and catches up in joined deltas', async () => {
  await using patient = await startTestApp({ OPENAI_BASE_URL: model.baseURL, MAX_ANSWER_BYTES });
  const { goOn } = writeMuch({ isHalting: true });
  const run = await patient.client.ask('Go');
  const slow = await openSocket(patient.client);
  slow.send('1', follow, { id: run.id });
  await vi.waitUntil(() => slow.received.some(({ payload }) => payload?.data?.runEvents.text), 10_000);
  slow.socket.pause();
  goOn();
  const other = await all(patient.client.follow(run.id));
  expect(joined(other)).toBe(piece.repeat(pieces));
  slow.socket.resume();
  await vi.waitUntil(() => slow.received.at(-1)?.type === 'complete', 20_000);
  const events = slow.received.flatMap(({ payload }) => payload?.data?.runEvents ?? []);
  expect(joined(events)).toBe(piece.repeat(pieces));
  expect(events.at(-1).status).toBe('COMPLETED');
  // Deltas in the system's socket buffers arrive one by one; all the others arrive joined.
  const longest = Math.max(...events.map(({ text = '' }) => text.length));
  expect(longest).toBeGreaterThan(10 * piece.length);
  slow.socket.terminate();
});

test('a socket that neither reads nor answers pings is closed with a code, and others stay open', async () => {
  writeMuch();
  const run = await app.client.ask('Go');
  const slow = await openSocket(app.client);
  const other = await openSocket(app.client);
  slow.send('1', follow, { id: run.id });
  slow.send('2', `subscription { threadEvents(threadId: "${run.thread.id}") { __typename } }`);
  await vi.waitUntil(() => slow.received.length > 1, 10_000);
  slow.socket.pause();
  // This socket reads but does not answer pings, so it receives the close code.
  const mute = await openSocket(app.client, { autoPong: false });
  expect(await mute.closed).toEqual({ code: 4410, reason: 'Nothing was read or answered for too long' });
  await expect.poll(() => app.app.services.feeds.count, { timeout: 30_000 }).toBe(0);
  slow.socket.resume();
  // The close frame arrives only if it still fits into the socket buffers.
  expect([4410, 1006]).toContain((await slow.closed).code);
  other.send('1', '{ viewer { kind } }');
  await vi.waitUntil(() => other.received.at(-1)?.type === 'complete', 10_000);
  other.socket.terminate();
});

test('the server stops reading from a client that does not read its responses', async () => {
  const greedy = await openSocket(app.client);
  greedy.socket.pause();
  // Each response has some kilobytes; together they exceed the socket buffers of the system.
  const query = `{ ${Array.from({ length: 100 }, (_, index) => `a${index}: models { id contextWindow }`).join(' ')} }`;
  let asked = 0;
  while (greedy.socket.bufferedAmount === 0 && asked < 100_000) {
    for (let index = 0; index < 100; index += 1) {
      asked += 1;
      greedy.send(String(asked), query);
    }
    await delay(1);
  }
  // Bytes that the server does not read stay in the client's buffer.
  expect(greedy.socket.bufferedAmount).toBeGreaterThan(0);
  greedy.socket.resume();
  await vi.waitUntil(() => greedy.received.filter(({ type }) => type !== 'next').length >= asked, 50_000);
  const answered = greedy.received.filter(({ type }) => type === 'complete').length;
  const refused = greedy.received.filter(({ type }) => type === 'error');
  expect(answered).toBeGreaterThan(0);
  expect(refused.every(({ payload }) => payload[0].extensions.code === 'RATE_LIMITED')).toBe(true);
  greedy.socket.terminate();
});

test('the server stops reading from an unauthenticated client that does not read', async () => {
  const url = `${app.url.replace('http', 'ws')}/graphql`;
  const flood = new WebSocket(url, 'graphql-transport-ws');
  await once(flood, 'open');
  flood.pause();
  // Each pong repeats the payload.
  const ping = JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(1_000_000) } });
  for (let sent = 0; sent < 60; sent += 1) flood.send(ping);
  // The amount settles when the server has stopped reading; it would settle at 0 if the server read everything.
  for (let before = -1; before !== flood.bufferedAmount; await delay(300)) before = flood.bufferedAmount;
  expect(flood.bufferedAmount).toBeGreaterThan(30_000_000);
  flood.terminate();
});

test('an idle socket is closed, and one with a subscription or with requests is not', async () => {
  await using app = await startTestApp({}, { liveness: { ...liveness, silentMs: 60_000, idleMs: 1000 }, timing });
  const thread = await app.client.createThread();
  const busy = await openSocket(app.client);
  busy.send('1', `subscription { threadEvents(threadId: "${thread.id}") { __typename } }`);
  const brisk = await openSocket(app.client);
  const asking = setInterval(() => brisk.send(String(brisk.received.length), '{ viewer { kind } }'), 20);
  const idle = await openSocket(app.client);
  expect(await idle.closed).toEqual({ code: 1000, reason: 'Idle' });
  clearInterval(asking);
  expect(brisk.received.length).toBeGreaterThan(10);
  expect(brisk.socket.readyState).toBe(brisk.socket.OPEN);
  await app.client.mutate('createMessage', { threadId: thread.id, message: { text: 'Hello' } }, 'threadMessage { id }');
  await vi.waitUntil(() => busy.received.at(-1)?.payload?.data.threadEvents.__typename === 'MessageAdded', 10_000);
  busy.socket.terminate();
  brisk.socket.terminate();
});

test('the number of open sockets per user is limited', async () => {
  const alice = await app.client.as('alice');
  const first = await openSocket(alice);
  expect(await (await openSocket(alice)).closed).toEqual({ code: 1013, reason: 'Too many sockets' });
  const bob = await openSocket(await app.client.as('bob'));
  expect(bob.received).toEqual([{ type: 'connection_ack' }]);
  first.socket.close();
  await first.closed;
  await vi.waitUntil(async () => {
    const again = await openSocket(alice);
    const isIn = again.received.length > 0;
    again.socket.close();
    await again.closed;
    return isIn;
  }, 10_000);
  bob.socket.terminate();
});

test('a client that disappears without closing its connection is detected', async () => {
  const thread = await app.client.createThread();
  const lost = await openSocket(app.client);
  lost.send('1', `subscription { threadEvents(threadId: "${thread.id}") { __typename } }`);
  await expect.poll(() => app.app.services.feeds.count).toBe(1);
  // The connection stays open, but nothing is read and no ping is answered.
  lost.socket.pause();
  await expect.poll(() => app.app.services.feeds.count).toBe(0);
  lost.socket.terminate();
});

test('an SSE client that stops reading is disconnected, and its feed is closed', async () => {
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

test('a server that stops closes sockets with a retry code and breaks off streams', async () => {
  const leaving = await startTestApp();
  const thread = await leaving.client.createThread();
  const query = `subscription { threadEvents(threadId: "${thread.id}") { __typename ... on Event { cursor } } }`;
  const socket = await openSocket(leaving.client);
  socket.send('1', query);
  const stream = await leaving.client.stream(query);
  await leaving.client.mutate(
    'createMessage',
    { threadId: thread.id, message: { text: 'Hello' } },
    'threadMessage { id }',
  );
  await vi.waitUntil(() => socket.received.length > 1, 10_000);
  // A completed stream sends `complete`; this one is broken off, so that its client reconnects.
  const broken = expect(stream.text()).rejects.toThrow();
  await leaving.stop();
  expect(await socket.closed).toEqual({ code: 1001, reason: 'Going away' });
  expect(socket.received.some(({ type }) => type === 'complete')).toBe(false);
  await broken;
});
