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

/** Two ends of a bus: of one process, or of two. A server that is not available is skipped. */
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
  'a cluster of Redis': { isHere: canStartRedis, open: async () => [await onCluster(), await onCluster()] },
};

const delta = (offset: number, text: string, ownerId = 'msg_1'): BusMessage => ({
  kind: 'delta',
  ownerId,
  channel: 'TEXT',
  offset,
  text,
});

/** Collects the messages of a topic, and the joined text of its deltas. */
function listen(bus: Bus, topic: string) {
  const heard: BusMessage[] = [];
  const unsubscribe = bus.subscribe(topic, (message) => heard.push(message));
  const text = () => heard.map((message) => (message.kind === 'delta' ? message.text : '')).join('');
  return { heard, text, unsubscribe };
}

/** Resolves when messages of these topics arrive at the other end; forgets the messages until then. */
async function heardFrom(bus: Bus, listening: Array<[topic: string, ReturnType<typeof listen>]>): Promise<void> {
  for (const [topic, { heard }] of listening) {
    await vi.waitUntil(() => {
      bus.publish(topic, { kind: 'cancel', runId: 'ready?' });
      return heard.some(({ kind }) => kind === 'cancel');
    }, 10_000);
  }
  // When this message arrives, all earlier ones have arrived.
  for (const [topic, { heard }] of listening) {
    bus.publish(topic, { kind: 'cancel', runId: 'ready' });
    const last = () => heard.at(-1);
    await vi.waitUntil(() => JSON.stringify(last()) === JSON.stringify({ kind: 'cancel', runId: 'ready' }), 10_000);
    heard.length = 0;
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
    await heardFrom(one, [
      ['a', here],
      ['a', there],
      ['b', elsewhere],
    ]);
    for (const { heard } of [here, there, elsewhere]) heard.length = 0;
    one.publish('a', { kind: 'cancel', runId: 'run_1' });
    one.publish('a', delta(0, '你好 🙂'));
    await vi.waitUntil(() => there.heard.length === 2, 10_000);
    for (const { heard } of [here, there]) {
      expect(heard).toEqual([{ kind: 'cancel', runId: 'run_1' }, delta(0, '你好 🙂')]);
    }
    expect(elsewhere.heard).toEqual([]);
  });

  test.runIf(isHere)('delivers texts of any length in order, and ten thousand messages at once', async () => {
    const [one, other] = await openBoth();
    const there = listen(other, 'a');
    await heardFrom(one, [['a', there]]);
    const long = `${'🙂'.repeat(90_000)}${'\u0001'.repeat(50_000)}x`;
    one.publish('a', delta(0, long));
    await vi.waitUntil(() => there.text() === long, 10_000);
    expect(there.heard.every((message) => message.kind !== 'delta' || message.text.isWellFormed())).toBe(true);
    there.heard.length = 0;
    for (let offset = 0; offset < 5000; offset += 1) one.publish('a', delta(offset, String(offset % 10), 'msg_2'));
    await vi.waitUntil(() => there.text().length === 5000, 10_000);
    for (let seq = 1; seq <= 5000; seq += 1) one.publish('a', { kind: 'events', seq });
    await vi.waitUntil(() => there.heard.some((message) => message.kind === 'events' && message.seq === 5000), 10_000);
  });

  test.runIf(isHere)('delivers nothing after unsubscribing', async () => {
    const [one, other] = await openBoth();
    const [first, second] = [listen(other, 'a'), listen(other, 'a')];
    await heardFrom(one, [['a', second]]);
    first.heard.length = 0;
    first.unsubscribe();
    first.unsubscribe();
    one.publish('a', { kind: 'events', seq: 1 });
    await vi.waitUntil(() => second.heard.length === 1, 10_000);
    expect(first.heard).toEqual([]);
  });

  test.runIf(isHere)('stays subscribed while listeners come and go', async () => {
    const [one, other] = await openBoth();
    for (let time = 0; time < 50; time += 1) {
      listen(other, 'a').unsubscribe();
      await Promise.resolve();
    }
    const there = listen(other, 'a');
    await heardFrom(one, [['a', there]]);
    one.publish('a', delta(0, 'x'));
    await vi.waitUntil(() => there.text() === 'x', 10_000);
  });
});

/** Cuts the connections of a bus from outside, and sends foreign payloads on its channels. */
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
  'a cluster of Redis': {
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

  test.runIf(isHere)('sends a gap to its listeners after a lost connection, and continues', async () => {
    const [one, other] = await openBoth();
    const [here, there] = [listen(one, 'a'), listen(other, 'a')];
    await heardFrom(one, [['a', there]]);
    here.heard.length = 0;
    await cut();
    await vi.waitUntil(() => here.heard.length > 0 && there.heard.length > 0, 10_000);
    expect([...here.heard, ...there.heard].every(({ kind }) => kind === 'gap')).toBe(true);
    await vi.waitUntil(() => {
      one.publish('a', { kind: 'cancel', runId: 'run_2' });
      return there.heard.some(({ kind }) => kind === 'cancel');
    }, 10_000);
  });

  test.runIf(isHere)('sends a gap to its listeners for each unknown payload', async () => {
    const [one, other] = await openBoth();
    const there = listen(other, 'a');
    await heardFrom(one, [['a', there]]);
    const nonsense = [
      '',
      'x',
      '{}',
      '["me",[["a",{"kind":"delta"}]]]',
      '["me",[["a",{"kind":"new"}]]]',
      'null',
      '[1,2,3]',
    ];
    for (const payload of nonsense) await say(payload);
    await vi.waitUntil(() => {
      one.publish('a', { kind: 'cancel', runId: 'run_3' });
      return there.heard.at(-1)?.kind === 'cancel';
    }, 10_000);
    expect(there.heard.filter(({ kind }) => kind !== 'cancel')).toEqual(nonsense.map(() => ({ kind: 'gap' })));
  });

  test.runIf(isHere)('sends a gap to other processes for messages lost meanwhile', async () => {
    const [one, other] = await openBoth();
    const there = listen(other, 'a');
    await heardFrom(one, [['a', there]]);
    await cut();
    for (let said = 0; said < 20_000; said += 1) one.publish('a', delta(said * 2, 'x', `msg_${said}`));
    await vi.waitUntil(() => there.heard.some(({ kind }) => kind === 'gap'), 10_000);
  });
});

/** A server whose connections can become half open: they carry nothing and are not closed. */
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
  'a half-open connection to %s is detected: listeners receive a gap, and the bus continues',
  async (_name, { isHere, start }) => {
    if (!isHere) return;
    const { driver, freeze, stop } = await start();
    const [one, other] = keep(
      await RemoteBus.open(driver, log, fastTiming.bus),
      await RemoteBus.open(driver, log, fastTiming.bus),
    );
    const there = listen(other, 'a');
    await heardFrom(one, [['a', there]]);
    freeze();
    one.publish('a', { kind: 'cancel', runId: 'lost' });
    await vi.waitUntil(() => there.heard.some(({ kind }) => kind === 'gap'), 30_000);
    await vi.waitUntil(() => one.isConnected && other.isConnected, 30_000);
    await heardFrom(one, [['a', there]]);
    for (const bus of opened.splice(0)) await bus.close();
    await stop();
  },
);
