import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import type { Bus, BusMessage } from '../../src/bus/bus.ts';
import { MemoryBus } from '../../src/bus/memory.ts';
import { postgresLink } from '../../src/bus/postgres.ts';
import { redisLink } from '../../src/bus/redis.ts';
import { RemoteBus } from '../../src/bus/remote.ts';
import { createLog } from '../../src/log.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { copyTemplate } from '../support/databases.ts';
import { canStartRedis, RedisServers } from '../support/redis.ts';
import { fastTiming } from '../support/timing.ts';

const postgres = inject('postgres');
const log = createLog('silent');
const opened: Bus[] = [];
const keep = <T extends Bus[]>(...buses: T): T => {
  opened.push(...buses);
  return buses;
};
afterEach(async () => {
  for (const bus of opened.splice(0)) await bus.close();
});

let database = '';
let redis: RedisServers;
let cluster: RedisServers;
beforeAll(async () => {
  if (postgres) database = await copyTemplate(postgres);
  if (canStartRedis) [redis, cluster] = await Promise.all([RedisServers.start({ count: 1 }), startCluster()]);
});
const startCluster = () => RedisServers.start({ count: 3 });
afterAll(async () => {
  await redis?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

const onPostgres = () => RemoteBus.open(postgresLink(database, fastTiming.bus.answerMs), log, fastTiming.bus);
const onRedis = () => RemoteBus.open(redisLink(redis.url, 'test', fastTiming.bus.answerMs), log, fastTiming.bus);
const onCluster = () => RemoteBus.open(redisLink(cluster.url, 'test', fastTiming.bus.answerMs), log, fastTiming.bus);

/** Two bus instances that exchange messages: one object, or one for each process. A driver whose server is missing is skipped. */
const drivers: Record<string, { isHere: boolean; open: () => Promise<Bus[]> }> = {
  memory: {
    isHere: true,
    open: async () => {
      const bus = new MemoryBus();
      return [bus, bus];
    },
  },
  PostgreSQL: { isHere: postgres !== null, open: async () => [await onPostgres(), await onPostgres()] },
  Redis: { isHere: canStartRedis, open: async () => [await onRedis(), await onRedis()] },
  'Redis Cluster': { isHere: canStartRedis, open: async () => [await onCluster(), await onCluster()] },
};

const delta = (offset: number, text: string, ownerId = 'msg_1'): BusMessage => ({
  kind: 'delta',
  ownerId,
  channel: 'TEXT',
  offset,
  text,
});

/** The messages received on a topic, and the joined text of its deltas. */
function listen(bus: Bus, topic: string) {
  const received: BusMessage[] = [];
  const unsubscribe = bus.subscribe(topic, (message) => received.push(message));
  const text = () => received.map((message) => (message.kind === 'delta' ? message.text : '')).join('');
  return { received, text, unsubscribe };
}

/** Resolves when messages published on these topics arrive at their listeners; clears what they received until then. */
async function awaitDelivery(bus: Bus, listening: Array<[topic: string, ReturnType<typeof listen>]>): Promise<void> {
  for (const [topic, { received }] of listening) {
    await vi.waitUntil(() => {
      bus.publish(topic, { kind: 'cancel', runId: 'ready?' });
      return received.some(({ kind }) => kind === 'cancel');
    }, 10_000);
  }
  // Delivery is in order: when this message has arrived, all earlier ones have.
  for (const [topic, { received }] of listening) {
    bus.publish(topic, { kind: 'cancel', runId: 'ready' });
    const last = () => received.at(-1);
    await vi.waitUntil(() => JSON.stringify(last()) === JSON.stringify({ kind: 'cancel', runId: 'ready' }), 10_000);
    received.length = 0;
  }
}

describe.each(Object.entries(drivers))('the bus: %s', (_name, { isHere, open }) => {
  const openBoth = async () => {
    const [one, other] = (await open()) as [Bus, Bus];
    keep(one, other);
    return [one, other] as const;
  };

  test.runIf(isHere)('delivers a message once to each listener of its topic, in both processes', async () => {
    const [one, other] = await openBoth();
    const [here, there, elsewhere] = [listen(one, 'a'), listen(other, 'a'), listen(other, 'b')];
    await awaitDelivery(one, [
      ['a', here],
      ['a', there],
      ['b', elsewhere],
    ]);
    for (const { received } of [here, there, elsewhere]) received.length = 0;
    one.publish('a', { kind: 'cancel', runId: 'run_1' });
    one.publish('a', delta(0, '你好 🙂'));
    await vi.waitUntil(() => there.received.length === 2, 10_000);
    for (const { received } of [here, there]) {
      expect(received).toEqual([{ kind: 'cancel', runId: 'run_1' }, delta(0, '你好 🙂')]);
    }
    expect(elsewhere.received).toEqual([]);
  });

  test.runIf(isHere)('delivers long texts complete and in order, and ten thousand messages in one burst', async () => {
    const [one, other] = await openBoth();
    const there = listen(other, 'a');
    await awaitDelivery(one, [['a', there]]);
    const long = `${'🙂'.repeat(90_000)}${'\u0001'.repeat(50_000)}x`;
    one.publish('a', delta(0, long));
    await vi.waitUntil(() => there.text() === long, 10_000);
    expect(there.received.every((message) => message.kind !== 'delta' || message.text.isWellFormed())).toBe(true);
    there.received.length = 0;
    for (let offset = 0; offset < 5000; offset += 1) one.publish('a', delta(offset, String(offset % 10), 'msg_2'));
    await vi.waitUntil(() => there.text().length === 5000, 10_000);
    for (let seq = 1; seq <= 5000; seq += 1) one.publish('a', { kind: 'events', seq });
    await vi.waitUntil(
      () => there.received.some((message) => message.kind === 'events' && message.seq === 5000),
      10_000,
    );
  });

  test.runIf(isHere)('delivers nothing to a listener that unsubscribed', async () => {
    const [one, other] = await openBoth();
    const [first, second] = [listen(other, 'a'), listen(other, 'a')];
    await awaitDelivery(one, [['a', second]]);
    first.received.length = 0;
    first.unsubscribe();
    first.unsubscribe();
    one.publish('a', { kind: 'events', seq: 1 });
    await vi.waitUntil(() => second.received.length === 1, 10_000);
    expect(first.received).toEqual([]);
  });

  test.runIf(isHere)('delivers to a topic whose listeners subscribe and unsubscribe rapidly', async () => {
    const [one, other] = await openBoth();
    for (let time = 0; time < 50; time += 1) {
      listen(other, 'a').unsubscribe();
      await Promise.resolve();
    }
    const there = listen(other, 'a');
    await awaitDelivery(one, [['a', there]]);
    one.publish('a', delta(0, 'x'));
    await vi.waitUntil(() => there.text() === 'x', 10_000);
    expect(there.received).toEqual([delta(0, 'x')]);
  });
});

/** For each driver: how to cut its connections from outside, and how to send a foreign payload on its channel. */
const links = {
  PostgreSQL: {
    isHere: postgres !== null,
    open: onPostgres,
    cut: () =>
      queryDatabase(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'assistant-graph bus' AND datname = current_database()",
      ),
    say: (payload: string) => queryDatabase('SELECT pg_notify($1, $2)', ['assistant_graph', payload]),
  },
  Redis: {
    isHere: canStartRedis,
    open: onRedis,
    cut: async () => void (await redis.command(0, 'CLIENT', 'KILL', 'TYPE', 'pubsub')),
    say: async (payload: string) => void (await redis.command(0, 'SPUBLISH', 'assistant-graph:test:a', payload)),
  },
  'Redis Cluster': {
    isHere: canStartRedis,
    open: onCluster,
    cut: async () => {
      for (const index of [0, 1, 2]) await cluster.command(index, 'CLIENT', 'KILL', 'TYPE', 'pubsub');
    },
    say: async (payload: string) => {
      for (const index of [0, 1, 2]) {
        // Only the node that owns the slot accepts it.
        await cluster.command(index, 'SPUBLISH', 'assistant-graph:test:a', payload).catch(() => {});
      }
    },
  },
};

async function queryDatabase(sql: string, values: unknown[] = []): Promise<void> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  await client.query(sql, values);
  await client.end();
}

describe.each(Object.entries(links))('the bus over %s', (_name, { isHere, open, cut, say }) => {
  const openBoth = async () => keep(await open(), await open());

  test.runIf(isHere)('reports a gap to its listeners after its connection is cut, and reconnects', async () => {
    const [one, other] = await openBoth();
    const [here, there] = [listen(one, 'a'), listen(other, 'a')];
    await awaitDelivery(one, [['a', there]]);
    here.received.length = 0;
    await cut();
    await vi.waitUntil(() => here.received.length > 0 && there.received.length > 0, 10_000);
    expect([...here.received, ...there.received].every(({ kind }) => kind === 'gap')).toBe(true);
    await vi.waitUntil(() => {
      one.publish('a', { kind: 'cancel', runId: 'run_2' });
      return there.received.some(({ kind }) => kind === 'cancel');
    }, 10_000);
  });

  test.runIf(isHere)('turns foreign and malformed messages into few gaps', async () => {
    const [one, other] = await openBoth();
    const there = listen(other, 'a');
    await awaitDelivery(one, [['a', there]]);
    const nonsense = [
      '',
      'x',
      '{}',
      '["me",[["a",{"kind":"delta"}]]]',
      '["me",[["a",{"kind":"new"}]]]',
      'null',
      '[1,2,3]',
    ];
    const said = Array<string[]>(5).fill(nonsense).flat();
    await Promise.all(said.map(say));
    await vi.waitUntil(() => {
      one.publish('a', { kind: 'cancel', runId: 'run_3' });
      return there.received.at(-1)?.kind === 'cancel';
    }, 10_000);
    const gaps = there.received.filter(({ kind }) => kind !== 'cancel');
    expect(gaps[0]).toEqual({ kind: 'gap' });
    expect(gaps.length).toBeLessThan(said.length);
  });

  test.runIf(isHere)('reports a gap to other processes when it dropped outgoing messages', async () => {
    const [one, other] = await openBoth();
    const there = listen(other, 'a');
    await awaitDelivery(one, [['a', there]]);
    await cut();
    for (let said = 0; said < 20_000; said += 1) one.publish('a', delta(said * 2, 'x', `msg_${said}`));
    await vi.waitUntil(() => there.received.some(({ kind }) => kind === 'gap'), 10_000);
    // More than the outbox holds: the gap stands for the messages that it dropped.
    expect(there.received.filter(({ kind }) => kind === 'delta').length).toBeLessThan(20_000);
  });
});

/** A server whose connections can become half open: no data passes, and no side closes them. */
const halfOpen = {
  PostgreSQL: {
    isHere: postgres !== null,
    start: async () => {
      const proxy = await CuttingProxy.start(database, () => Number.POSITIVE_INFINITY);
      const url = Object.assign(new URL(database), { host: new URL(proxy.url).host }).href;
      return {
        driver: postgresLink(url, fastTiming.bus.answerMs),
        freeze: () => proxy.freeze(),
        stop: () => proxy[Symbol.asyncDispose](),
      };
    },
  },
  Redis: {
    isHere: canStartRedis,
    start: async () => {
      const proxy = await CuttingProxy.start(redis.url, () => Number.POSITIVE_INFINITY);
      const url = proxy.url.replace('http', 'redis');
      return {
        driver: redisLink(url, 'test', fastTiming.bus.answerMs),
        freeze: () => proxy.freeze(),
        stop: () => proxy[Symbol.asyncDispose](),
      };
    },
  },
};

test.runIf(Object.values(halfOpen).some(({ isHere }) => isHere)).each(Object.entries(halfOpen))(
  'a half-open connection to %s is detected: listeners get a gap and the bus reconnects',
  async (_name, { isHere, start }) => {
    if (!isHere) return;
    const { driver, freeze, stop } = await start();
    const [one, other] = keep(
      await RemoteBus.open(driver, log, fastTiming.bus),
      await RemoteBus.open(driver, log, fastTiming.bus),
    );
    const there = listen(other, 'a');
    await awaitDelivery(one, [['a', there]]);
    freeze();
    one.publish('a', { kind: 'cancel', runId: 'lost' });
    await vi.waitUntil(() => there.received.some(({ kind }) => kind === 'gap'), 30_000);
    await vi.waitUntil(() => one.isConnected && other.isConnected, 30_000);
    await awaitDelivery(one, [['a', there]]);
    one.publish('a', delta(0, 'x'));
    await vi.waitUntil(() => there.text() === 'x', 10_000);
    expect(there.received).toEqual([delta(0, 'x')]);
    for (const bus of opened.splice(0)) await bus.close();
    await stop();
  },
);
