import { expect, test, vi } from 'vitest';
import { serverLimits } from '../../src/server/limits.ts';
import { ReadingPace } from '../../src/server/yoga/reading-pace.ts';

const limits = { operations: 2, bytesPerSecond: 1000 };
const open = new AbortController().signal;
/** A credential that can be revoked. */
const credential = (revoked = open) => ({ watch: () => ({ revoked, release: () => {} }) });

/** Starts an operation and notes when its turn has come. */
function start(pace: ReadingPace, name: string, signal = open, access = credential()) {
  const operation = { end: undefined as ((bytes: number) => void) | undefined };
  const started = Promise.resolve(pace.start(name, limits, { signal, access, weigh: () => 1 })).then((end) => {
    operation.end = end;
  });
  return { operation, started };
}

test('a client that has read large responses waits until its average allows the next, and others do not', async () => {
  vi.useFakeTimers();
  try {
    const pace = new ReadingPace(500);
    const first = start(pace, 'a');
    await first.started;
    first.operation.end?.(2500);
    const second = start(pace, 'a');
    const other = start(pace, 'b');
    await other.started;
    await vi.advanceTimersByTimeAsync(1990);
    expect(second.operation.end).toBeUndefined();
    await vi.advanceTimersByTimeAsync(20);
    expect(second.operation.end).toBeDefined();
  } finally {
    vi.useRealTimers();
  }
});

test('operations beyond those carried out at once start in their order, when others end or take long', async () => {
  vi.useFakeTimers();
  try {
    const pace = new ReadingPace(500);
    const [first, , third, fourth] = Array.from({ length: 4 }, () => start(pace, 'a'));
    await vi.advanceTimersByTimeAsync(0);
    expect(third?.operation.end).toBeUndefined();
    first?.operation.end?.(0);
    await third?.started;
    expect(fourth?.operation.end).toBeUndefined();
    await vi.advanceTimersByTimeAsync(serverLimits.operationHoldMs + 1);
    expect(fourth?.operation.end).toBeDefined();
  } finally {
    vi.useRealTimers();
  }
});

test('an operation whose client is gone gives its place away', async () => {
  const pace = new ReadingPace(500);
  const [first] = [start(pace, 'a'), start(pace, 'a')];
  const gone = new AbortController();
  const left = start(pace, 'a', gone.signal);
  const next = start(pace, 'a');
  gone.abort(new Error('gone'));
  await expect(left.started).rejects.toThrow('gone');
  first?.operation.end?.(0);
  await next.started;
});

test('an operation whose credential ends while it waits is refused with the reason', async () => {
  const pace = new ReadingPace(500);
  const [first] = [start(pace, 'a'), start(pace, 'a')];
  const revoked = new AbortController();
  const waiting = start(pace, 'a', open, credential(revoked.signal));
  revoked.abort(new Error('revoked'));
  await expect(waiting.started).rejects.toThrow('revoked');
  first?.operation.end?.(0);
});

test('too many waiting operations are refused', async () => {
  const pace = new ReadingPace(500);
  const all = serverLimits.waitingOperations + limits.operations;
  for (let index = 0; index < all; index += 1) start(pace, 'a');
  expect(() => pace.start('a', limits, { signal: open, access: credential(), weigh: () => 1 })).toThrow(
    /^200 operations of this client wait/,
  );
});
