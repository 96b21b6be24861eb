import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { redisLink } from '../../src/bus/redis.ts';
import { RemoteBus } from '../../src/bus/remote.ts';
import { createLog } from '../../src/log.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import { canStartRedis, RedisServers } from '../support/redis.ts';
import { fastTiming } from '../support/timing.ts';

describe.runIf(canStartRedis)('a Redis that misbehaves', () => {
  let redis: RedisServers;
  let proxy: CuttingProxy;
  let bus: RemoteBus;
  let lines: string[];
  let gaps = 0;
  beforeAll(async () => {
    redis = await RedisServers.start({ count: 1 });
    proxy = await CuttingProxy.start(redis.url, () => Number.POSITIVE_INFINITY);
  });
  afterEach(() => bus.close());
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await redis[Symbol.asyncDispose]();
  });

  async function open(): Promise<void> {
    lines = [];
    const log = createLog('info', undefined, { write: (line) => void lines.push(line) });
    const url = proxy.url.replace('http', 'redis');
    bus = await RemoteBus.open(redisLink(url, 'test', fastTiming.bus.answerMs), log, fastTiming.bus);
    bus.subscribe('topic', ({ kind }) => {
      if (kind === 'gap') gaps += 1;
    });
    await vi.waitUntil(() => gaps > 0, 10_000);
    gaps = 0;
  }

  test.each([
    ['garbage', '?garbage\r\n'],
    ['a web page', 'HTTP/1.1 400 Bad Request\r\n\r\n<html>'],
    ['an answer without a question', '-NOAUTH Authentication required.\r\n'],
    ['a list in a list in a list', '*1\r\n'.repeat(100_000)],
  ])('is left and connected anew, with a gap and a line of log: %s', async (_name, bytes) => {
    await open();
    proxy.inject(bytes);
    await vi.waitUntil(() => gaps > 0 && bus.isConnected, 20_000);
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['bus connection lost', 'bus reconnected']);
  });

  test('by refusing the login is waited for with one line of log', async () => {
    await open();
    const secret = 'PLANTED-password';
    await redis.command(0, 'CONFIG', 'SET', 'requirepass', secret);
    proxy.inject('?');
    await vi.waitUntil(() => !bus.isConnected, 10_000);
    await vi.waitUntil(() => proxy.accepted > 8, 20_000);
    expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['bus connection lost']);
    await redis.commandWith(secret, 'CONFIG', 'SET', 'requirepass', '');
    await vi.waitUntil(() => bus.isConnected, 20_000);
    expect(lines.join('')).not.toContain('PLANTED');
  });
});
