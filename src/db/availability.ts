import { setTimeout as delay } from 'node:timers/promises';
import { backoffMs } from '../async/retry.ts';
import { untilAborted } from '../async/until-aborted.ts';
import type { Timing } from '../config/timing.ts';
import type { Logger } from '../log.ts';

const backoff = { firstMs: 100, maxMs: 2000 };

interface Outage {
  /** The time of the last answer before it. */
  since: number;
  over: PromiseWithResolvers<void>;
  isLong: PromiseWithResolvers<void>;
  timer: NodeJS.Timeout;
}

/**
 * Whether the database answers this process, as a probe reports it. An outage begins with the last answer, is logged at its
 * begin and at its end, and is long after `awayMs`. Without a probe, as with the embedded database, there is no outage.
 */
export class Availability {
  readonly #log: Logger;
  readonly #awayMs: number;
  readonly #listeners = new Set<() => void>();
  readonly #endListeners = new Set<() => void>();
  #outage: Outage | null = null;
  #answeredAt = performance.now();
  #endedAt = Number.NEGATIVE_INFINITY;

  constructor(log: Logger, { awayMs }: Pick<Timing['database'], 'awayMs'>) {
    this.#log = log;
    this.#awayMs = awayMs;
  }

  /** Whether there is an outage. */
  get isAway(): boolean {
    return this.#outage !== null;
  }

  /** Whether there is a long outage: clients are sent elsewhere. */
  get isLongAway(): boolean {
    return this.#outage !== null && performance.now() - this.#outage.since >= this.#awayMs;
  }

  /** Whether there was an outage in the last `ms` milliseconds. */
  wasAwayWithin(ms: number): boolean {
    return this.#outage !== null || performance.now() - this.#endedAt < ms;
  }

  /** Calls `listener` once in every outage that becomes long. Returns the function that removes it. */
  onLongOutage(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls `listener` at the end of every outage. */
  onEnd(listener: () => void): void {
    this.#endListeners.add(listener);
  }

  /**
   * Waits before a statement is repeated that failed because the database is unavailable: a random time that grows with the
   * number of failed tries, and until an outage is over. Throws the signal's reason when it aborts.
   */
  async untilBack(failed: number, signal?: AbortSignal): Promise<void> {
    await delay(backoffMs(failed, backoff), undefined, { signal }).catch(() => {});
    signal?.throwIfAborted();
    const over = this.#outage?.over.promise;
    if (over) await (signal ? untilAborted(over, signal) : over);
  }

  /** Waits as `untilBack` does, except in a long outage. Returns whether the statement can be repeated. */
  async untilBackSoon(failed: number): Promise<boolean> {
    await delay(backoffMs(failed, backoff));
    if (this.#outage) await Promise.race([this.#outage.over.promise, this.#outage.isLong.promise]);
    return !this.isLongAway;
  }

  /** The database has answered the probe. */
  answered(): void {
    this.#answeredAt = performance.now();
    const outage = this.#outage;
    if (!outage) return;
    this.#outage = null;
    this.#endedAt = this.#answeredAt;
    clearTimeout(outage.timer);
    this.#log.info({ outageMs: Math.round(this.#answeredAt - outage.since) }, 'database available again');
    for (const listener of this.#endListeners) listener();
    outage.over.resolve();
  }

  /** The database does not answer the probe. */
  failed(error: unknown): void {
    if (this.#outage) return;
    const since = this.#answeredAt;
    const leftMs = Math.max(since + this.#awayMs - performance.now(), 0);
    const timer = setTimeout(() => this.#onLong(), Math.ceil(leftMs)).unref();
    this.#outage = { since, over: Promise.withResolvers(), isLong: Promise.withResolvers(), timer };
    this.#log.error({ cause: error }, 'database unavailable');
  }

  #onLong(): void {
    for (const listener of [...this.#listeners]) listener();
    this.#outage?.isLong.resolve();
  }
}
