import { afterAll, afterEach, describe, expect, inject, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { all, joined, until } from '../support/client.ts';
import { copyTemplate } from '../support/databases.ts';
import { OutageProxy } from '../support/outage-proxy.ts';
import { fastTiming } from '../support/timing.ts';
import { useApp, useModel } from '../support/use-app.ts';

const postgres = inject('postgres');

describe.runIf(postgres)('a process that is cut off from PostgreSQL', () => {
  const model = useModel();
  let proxy: OutageProxy;
  afterAll(() => proxy[Symbol.asyncDispose]());
  const app = useApp({
    model,
    environment: async () => {
      proxy = await OutageProxy.start(await copyTemplate(postgres as NonNullable<typeof postgres>));
      return { DATABASE_URL: proxy.url, DATABASE_CONNECTIONS: '4' };
    },
    config: {
      shutdownMs: 3000,
      timing: {
        ...fastTiming,
        run: { ...fastTiming.run, leaseMs: 20_000 },
        database: { ...fastTiming.database, probeMs: 100, answerMs: 300, awayMs: 800, readyMs: 500 },
      },
    },
  });

  const isReady = async () => (await fetch(`${app.url}/ready`)).status === 200;
  const restore = async () => {
    proxy.restore();
    await vi.waitUntil(isReady, 10_000);
  };
  afterEach(restore);

  /** A WebSocket that follows a thread; resolves when it does. */
  async function following(threadId: string): Promise<{ closed: Promise<number>; received: string[] }> {
    const socket = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const received: string[] = [];
    const acknowledged = Promise.withResolvers<void>();
    socket.on('open', () =>
      socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${app.client.key}` } })),
    );
    socket.on('message', (data) => {
      const { type } = JSON.parse(String(data)) as { type: string };
      received.push(type);
      if (type === 'connection_ack') acknowledged.resolve();
    });
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    await acknowledged.promise;
    const query = `subscription { threadEvents(threadId: "${threadId}") { __typename } }`;
    socket.send(JSON.stringify({ id: 'follow', type: 'subscribe', payload: { query } }));
    return { closed, received };
  }

  test.each(['cut', 'stall'] as const)('sends its clients elsewhere and reports not ready: %s', async (way) => {
    const { id } = await app.client.createThread();
    const socket = await following(id);
    const stop = new AbortController();
    const stream = await app.client.stream(
      `subscription { threadEvents(threadId: "${id}") { __typename } }`,
      {},
      stop.signal,
    );
    proxy[way]();
    expect(await socket.closed).toBe(1013);
    expect(socket.received).not.toContain('error');
    const text = await stream.text();
    expect(text).toMatch(/^retry: \d+$/m);
    expect(text).toContain('"code":"UNAVAILABLE"');
    expect(text).not.toContain('event: complete');
    expect(await isReady()).toBe(false);
    const late = new WebSocket(`${app.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    late.on('open', () =>
      late.send(JSON.stringify({ type: 'connection_init', payload: { authorization: 'Bearer ag_not-in-any-cache' } })),
    );
    expect(await new Promise((resolve) => late.once('close', resolve))).toBe(1013);
    const { status, errors } = await app.client.send('{ threads { nodes { id } } }');
    expect([status, errors?.[0]?.extensions.code]).toEqual([503, 'UNAVAILABLE']);
  });

  test('ends event streams that carry several operations', async () => {
    const { id } = await app.client.createThread();
    const { headers } = app.client;
    const reserved = await fetch(`${app.url}/graphql`, { method: 'PUT', headers });
    const token = { 'x-graphql-event-stream-token': await reserved.text() };
    const stream = await fetch(`${app.url}/graphql`, { headers: { ...token, accept: 'text/event-stream' } });
    const query = `subscription { threadEvents(threadId: "${id}") { __typename } }`;
    const body = JSON.stringify({ query, extensions: { operationId: 'follow' } });
    expect(
      (await fetch(`${app.url}/graphql`, { method: 'POST', headers: { ...headers, ...token }, body })).status,
    ).toBe(202);
    proxy.cut();
    const text = await stream.text();
    expect(text).toMatch(/^retry: \d+$/m);
    expect(text).not.toContain('event: complete');
  });

  test('clients resume with their cursors and miss nothing', async () => {
    const go = Promise.withResolvers<void>();
    model.answers(async (respond) => {
      await respond.text('Hello');
      await go.promise;
      await respond.text(' world');
      await respond.end();
    });
    const run = await app.client.ask('Greet');
    const before: Array<{ __typename: string; cursor: string }> = [];
    const reading = (async () => {
      for await (const event of app.client.follow(run.id)) {
        before.push(event);
        if (event.__typename === 'MessageDelta') proxy.stall();
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 1013 });
    go.resolve();
    await restore();
    const after = await all(app.client.follow(run.id, before.at(-1)?.cursor));
    expect(joined([...before, ...after])).toBe('Hello world');
    expect(after.at(-1)).toMatchObject({ __typename: 'RunStatusChanged', status: 'COMPLETED' });
    const again = await until(app.client.follow(run.id), () => false);
    expect(again.length).toBeLessThanOrEqual(before.length + after.length);
  });
});
