import { expect, test } from 'vitest';
import { backoffMs, retry } from '../../src/async/retry.ts';

const { signal } = new AbortController();

function failing(times: number): () => Promise<number> {
  let calls = 0;
  return async () => {
    calls += 1;
    if (calls <= times) throw new Error(`failure ${calls}`);
    return calls;
  };
}

test('work runs again until it succeeds, with the wait that follows from the error', async () => {
  const waits: unknown[] = [];
  const wait = (error: unknown, failed: number) => {
    waits.push([(error as Error).message, failed]);
    return 0;
  };
  expect(await retry(failing(2), { wait, signal })).toBe(3);
  expect(waits).toEqual([
    ['failure 1', 1],
    ['failure 2', 2],
  ]);
});

test('the last error is thrown when the tries are used up', async () => {
  await expect(retry(failing(5), { tries: 3, wait: () => 0, signal })).rejects.toThrow('failure 3');
});

test('an error that no retry can help is thrown at once', async () => {
  await expect(retry(failing(5), { wait: () => null, signal })).rejects.toThrow('failure 1');
});

test('an abort ends a wait and hides the error of the try that it interrupted', async () => {
  const waiting = new AbortController();
  const long = retry(failing(5), { wait: () => 60_000, signal: waiting.signal });
  setTimeout(() => waiting.abort('cancelled'), 5);
  await expect(long).rejects.toBe('cancelled');

  const working = new AbortController();
  const interrupted = async () => {
    working.abort('shutdown');
    throw new Error('interrupted');
  };
  await expect(retry(interrupted, { wait: () => 0, signal: working.signal })).rejects.toBe('shutdown');
});

test('no try begins after the signal has aborted', async () => {
  let calls = 0;
  const work = async () => {
    calls += 1;
  };
  await expect(retry(work, { wait: () => 0, signal: AbortSignal.abort('gone') })).rejects.toBe('gone');
  expect(calls).toBe(0);
});

test('the backoff doubles up to its maximum and is jittered downwards by half at most', () => {
  const limits = { firstMs: 100, maxMs: 300 };
  for (const [failed, full] of [
    [1, 100],
    [2, 200],
    [3, 300],
    [9, 300],
  ] as const) {
    const wait = backoffMs(failed, limits);
    expect(wait).toBeGreaterThanOrEqual(full / 2);
    expect(wait).toBeLessThanOrEqual(full);
  }
});
