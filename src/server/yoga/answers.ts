import { MemoryBudget } from '../../async/memory-budget.ts';
import { type PaceLimits, ReadingPace } from './reading-pace.ts';

/** The limits of answers, in bytes. */
export interface AnswerLimits {
  /** Of one answer as JSON. */
  bytes: number;
  /** Of all answers of the process that are being made or have not been sent. */
  memoryBytes: number;
}

/** Whose answers share a part of the memory. */
export interface Holder {
  name: string;
  /** The part of the memory, from 0 to 1. */
  share: number;
  /** How fast its operations are carried out. Absent: as fast as they arrive. */
  pace?: PaceLimits;
}

/** A request for bytes that waits for room. */
interface Waiting {
  readonly holder: Holder;
  readonly bytes: number;
  readonly resolve: () => void;
}

/**
 * The answers of a process that are being made or have not been sent. They share an amount of memory, of which one client
 * gets only a part, so that a client that does not read takes no room from the others.
 */
export class Answers {
  /** Bytes of one answer as JSON. */
  readonly maxBytes: number;
  readonly pace: ReadingPace;
  readonly #memoryBytes: number;
  readonly #budget: MemoryBudget;
  readonly #reserved = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();

  constructor({ bytes, memoryBytes }: AnswerLimits) {
    this.maxBytes = bytes;
    this.pace = new ReadingPace(bytes);
    this.#memoryBytes = Math.max(memoryBytes, bytes);
    this.#budget = new MemoryBudget(this.#memoryBytes);
  }

  /** The bytes that all answers hold. */
  get reserved(): number {
    return this.#budget.reserved;
  }

  /** Reserves bytes; false: there is no room for them. */
  reserve({ name, share }: Holder, bytes: number): boolean {
    const before = this.#reserved.get(name) ?? 0;
    // The part of a client has room for one answer of the maximum size.
    if (before + bytes > Math.max(this.#memoryBytes * share, this.maxBytes)) return false;
    if (!this.#budget.reserve(bytes)) return false;
    this.#reserved.set(name, before + bytes);
    return true;
  }

  /** Reserves bytes, `maxBytes` at most, when there is room. Resolves early, with false, when `signal` aborts. */
  async wait(holder: Holder, bytes: number, signal: AbortSignal): Promise<boolean> {
    if (this.reserve(holder, bytes)) return true;
    if (signal.aborted) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiting = { holder, bytes, resolve: () => resolve(true) };
    this.#waiting.add(waiting);
    const stop = () => {
      this.#waiting.delete(waiting);
      resolve(false);
    };
    signal.addEventListener('abort', stop);
    return promise.finally(() => signal.removeEventListener('abort', stop));
  }

  /** Returns bytes that were reserved, to those who wait first. */
  release({ name }: Holder, bytes: number): void {
    const left = (this.#reserved.get(name) ?? 0) - bytes;
    if (left > 0) this.#reserved.set(name, left);
    else this.#reserved.delete(name);
    this.#budget.release(bytes);
    for (const waiting of this.#waiting) {
      if (!this.reserve(waiting.holder, waiting.bytes)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }
}
