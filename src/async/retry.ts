import { setTimeout as delay } from 'node:timers/promises';

export interface RetryOptions {
  /** How many times `work` runs at most, the first time included; default: no limit. */
  tries?: number;
  /** The wait before the next try, in milliseconds; null: a retry would not help. `failed`: tries so far, from 1. */
  wait(error: unknown, failed: number): number | null;
  signal: AbortSignal;
}

/**
 * Runs `work` again while it fails and `wait` allows it. Resolves with the first success. Throws the error of the last try,
 * or the signal's reason once the signal has aborted.
 */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { tries = Number.POSITIVE_INFINITY, wait, signal } = options;
  for (let failed = 1; ; failed += 1) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      const waitMs = failed < tries ? wait(error, failed) : null;
      if (waitMs === null) throw error;
      // `delay` rejects with an AbortError of its own; the loop throws the signal's reason.
      await delay(waitMs, undefined, { signal }).catch(() => {});
    }
  }
}

/** An exponential wait in milliseconds, `maxMs` at most, jittered downwards by up to a half. */
export function backoffMs(failed: number, { firstMs, maxMs }: { firstMs: number; maxMs: number }): number {
  return Math.min(firstMs * 2 ** (failed - 1), maxMs) * (0.5 + Math.random() / 2);
}
