import { afterEach, expect, test, vi } from 'vitest';
import type { Link, LinkDriver, LinkListener } from '../../src/bus/link.ts';
import { redisLink } from '../../src/bus/redis.ts';
import { RemoteBus } from '../../src/bus/remote.ts';
import { createLog } from '../../src/log.ts';
import { canStartRedis, RedisServers } from '../support/redis.ts';
import { fastTiming } from '../support/timing.ts';

const log = createLog('silent');
let bus: RemoteBus;
afterEach(() => bus.close());

/** A link that the test can declare lost. */
function links(listen: (listener: LinkListener, count: number) => Promise<void>): LinkDriver & { opened: number } {
  const driver = {
    opened: 0,
    channelOf: (topic: string) => topic,
    maxPayloadBytes: 8000,
    open: async (listener: LinkListener): Promise<Link> => {
      driver.opened += 1;
      const count = driver.opened;
      return {
        send: async () => {},
        listen: () => listen(listener, count),
        unlisten: async () => {},
        ping: async () => {},
        close: async () => {},
      };
    },
  };
  return driver;
}

test('a link that is lost while it opens, or right after, is replaced', async () => {
  const lost = new Error('lost');
  const listeners: LinkListener[] = [];
  const driver = links(async (listener, count) => {
    listeners.push(listener);
    if (count === 2) listener.onLost(lost);
    // Right after it counts as open, some microtasks later.
    if (count > 2 && count < 20) {
      let moment = Promise.resolve();
      for (let step = 0; step < count - 2; step += 1) moment = moment.then(() => {});
      void moment.then(() => listener.onLost(lost));
    }
  });
  bus = await RemoteBus.open(driver, log, fastTiming.bus);
  listeners[0]?.onLost(lost);
  await vi.waitUntil(() => driver.opened >= 20 && bus.isConnected, 50_000);
});

test.runIf(canStartRedis)('the last listener of a cluster node can unsubscribe without a lost link', async () => {
  await using cluster = await RedisServers.start({ count: 3 });
  bus = await RemoteBus.open(redisLink(cluster.url, 'test', fastTiming.bus.answerMs), log, fastTiming.bus);
  let gaps = 0;
  bus.subscribe('witness', ({ kind }) => {
    if (kind === 'gap') gaps += 1;
  });
  // A new subscription sends one gap, because earlier messages are missed.
  await vi.waitUntil(() => gaps === 1, 10_000);
  for (let index = 0; index < 12; index += 1) {
    let isHeard = false;
    const leave = bus.subscribe(`topic ${index}`, () => {
      isHeard = true;
    });
    await vi.waitUntil(() => isHeard, 10_000);
    leave();
  }
  await vi.waitUntil(() => bus.isConnected, 10_000);
  expect(gaps).toBe(1);
});
