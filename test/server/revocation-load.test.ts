import type { Client as SocketClient } from 'graphql-ws';
import { expect, test } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { fastTiming } from '../support/timing.ts';

/**
 * The promise: subscriptions end within 5 s, which is two and a half periodic checks of production. A server under test checks
 * more often; ten of its checks leave room for a busy machine.
 */
const promisedMs = 10 * fastTiming.credential.checkMs;

test('revoking one of 50 keys ends exactly its own of 1,000 subscriptions', async () => {
  await using app = await startTestApp();
  const { id: threadId } = await app.client.createThread();
  const query = `subscription { threadEvents(threadId: "${threadId}") { ... on MessageAdded { messageId } } }`;
  const scopes = ['THREADS_READ', 'RUNS_READ'];
  const keys = await Promise.all(Array.from({ length: 50 }, () => app.client.createKey({ scopes })));
  const open = new Map(keys.map(({ id }) => [id, 0]));
  const received = new Map(keys.map(({ id }) => [id, 0]));
  const sockets: SocketClient[] = [];
  const stop = new AbortController();

  /** For each key: 18 subscriptions on two sockets, and two over SSE. */
  const streams = keys.flatMap(({ id, client }) => {
    const count = (map: Map<string, number>, by: number) => map.set(id, (map.get(id) ?? 0) + by);
    const overSockets = [client.socket(), client.socket()].flatMap((socket) => {
      sockets.push(socket);
      return Array.from({ length: 9 }, async () => {
        count(open, 1);
        const ended = () => count(open, -1);
        socket.subscribe({ query }, { next: ({ data }) => data && count(received, 1), error: ended, complete: ended });
      });
    });
    const overSse = [0, 1].map(async () => {
      const response = await client.stream(query, {}, stop.signal);
      count(open, 1);
      const reading = (async () => {
        for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
          if (Buffer.from(chunk).includes('"messageId"')) count(received, 1);
        }
      })();
      reading.catch(() => {}).finally(() => count(open, -1));
    });
    return [...overSockets, ...overSse];
  });
  await Promise.all(streams);
  const total = (map: Map<string, number>) => [...map.values()].reduce((sum, one) => sum + one, 0);
  const say = () =>
    app.client.mutate('createMessage', { threadId, message: { text: 'hello' } }, 'threadMessage { id }');
  // All subscriptions are open when one message reaches all of them.
  await expect
    .poll(
      async () => {
        for (const id of received.keys()) received.set(id, 0);
        await say();
        await expect
          .poll(() => total(received), { timeout: 2000 })
          .toBe(1000)
          .catch(() => {});
        return total(received);
      },
      { timeout: 20_000 },
    )
    .toBe(1000);

  const [victim] = keys;
  if (!victim) throw new Error('there are 50 keys');
  const revokedAt = Date.now();
  await app.client.mutate('revokeApiKey', { id: victim.id }, 'apiKey { id }');
  await expect.poll(() => open.get(victim.id), { timeout: 30_000 }).toBe(0);
  expect(Date.now() - revokedAt).toBeLessThan(promisedMs);

  for (const id of received.keys()) received.set(id, 0);
  await say();
  await expect.poll(() => total(received), { timeout: 30_000 }).toBe(980);
  expect(received.get(victim.id)).toBe(0);
  expect(total(open)).toBe(980);
  stop.abort();
  await Promise.all(sockets.map((socket) => socket.dispose()));
}, 60_000);
