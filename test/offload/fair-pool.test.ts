import { afterAll, expect, test } from 'vitest';
import { FairPool } from '../../src/offload/fair-pool.ts';
import { OffloadMemoryError, OffloadTimeoutError } from '../../src/offload/offload-error.ts';
import type * as tasks from '../fixtures/pool-tasks.ts';

const pool = new FairPool<typeof tasks>({
  ...{ worker: new URL('../fixtures/pool-tasks.ts', import.meta.url), threads: 1 },
  ...{ timeoutMs: 2000, maxWaitMs: 500, maxHeapMb: 64 },
});
afterAll(() => pool.close());

test('a task returns its result, and its error without the class', async () => {
  expect(await pool.run('alice', 'double', 21)).toBe(42);
  await expect(pool.run('alice', 'fail', 'no such thing')).rejects.toThrow('no such thing');
});

test('a task beyond its time limit ends, and the next one finds a thread', async () => {
  await expect(pool.run('alice', 'spin', null)).rejects.toBeInstanceOf(OffloadTimeoutError);
  expect(await pool.run('alice', 'double', 1)).toBe(2);
});

test('a task beyond its memory limit ends, and the next one finds a thread', async () => {
  await expect(pool.run('alice', 'fill', null)).rejects.toBeInstanceOf(OffloadMemoryError);
  expect(await pool.run('alice', 'double', 1)).toBe(2);
});

test('an abort ends a running task and a waiting one', async () => {
  const running = new AbortController();
  const waiting = new AbortController();
  const first = pool.run('alice', 'spin', null, running.signal);
  const second = pool.run('bob', 'double', 1, waiting.signal);
  waiting.abort('left the queue');
  await expect(second).rejects.toBe('left the queue');
  running.abort('cancelled');
  await expect(first).rejects.toBe('cancelled');
  expect(await pool.run('bob', 'double', 2)).toBe(4);
});

test('a task waits for a thread only for a limited time', async () => {
  const first = pool.run('alice', 'spin', null).catch((error: Error) => error);
  await expect(pool.run('bob', 'double', 1)).rejects.toThrow('no thread was free for 500 ms');
  expect(await first).toBeInstanceOf(OffloadTimeoutError);
});

test('next comes the workspace, and in it the user, that was served least recently', async () => {
  const order: string[] = [];
  const ask = (workspaceId: string, owner: string) =>
    pool.run({ workspaceId, owner }, 'double', 1).then(() => order.push(`${workspaceId} ${owner}`));
  const tasks = [ask('one', 'alice'), ask('one', 'alice'), ask('one', 'alice'), ask('one', 'bob'), ask('two', 'carol')];
  await Promise.all(tasks);
  expect(order).toEqual(['one alice', 'two carol', 'one bob', 'one alice', 'one alice']);
});
