import { type MemoryHolder, SharedMemory } from '../../async/shared-memory.ts';
import { ReadingPace } from './reading-pace.ts';

/** The limits of answers. */
export interface AnswerLimits {
  /** The cost of one operation: see docs/limits.md. */
  cost: number;
  /** Bytes of one answer as JSON. */
  bytes: number;
  /** Bytes of all answers of the process that are being made or have not been sent. */
  memoryBytes: number;
}

/** A request for bytes that waits for room. */
interface Waiting {
  readonly holder: MemoryHolder;
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
  /** The cost of one operation. */
  readonly maxCost: number;
  readonly pace: ReadingPace;
  readonly #memory: SharedMemory;
  readonly #waiting = new Set<Waiting>();

  constructor({ cost, bytes, memoryBytes }: AnswerLimits) {
    this.maxCost = cost;
    this.maxBytes = bytes;
    this.pace = new ReadingPace(bytes);
    this.#memory = new SharedMemory(Math.max(memoryBytes, bytes), bytes);
  }

  /** The bytes that all answers hold. */
  get reserved(): number {
    return this.#memory.reserved;
  }

  /** Reserves bytes; false: there is no room for them. */
  reserve(holder: MemoryHolder, bytes: number): boolean {
    return this.#memory.reserve(holder, bytes);
  }

  /** Reserves bytes, `maxBytes` at most, when there is room. Resolves early, with false, when `signal` aborts. */
  async wait(holder: MemoryHolder, bytes: number, signal: AbortSignal): Promise<boolean> {
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
  release(holder: MemoryHolder, bytes: number): void {
    this.#memory.release(holder, bytes);
    for (const waiting of this.#waiting) {
      if (!this.reserve(waiting.holder, waiting.bytes)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve();
    }
  }
}
