import type { Memory } from '../../async/shared-memory.ts';
import { serverLimits } from '../limits.ts';

/**
 * The bytes of a body that arrives in pieces. They are in one buffer, because a piece of one byte would take a hundred. What
 * exceeds `serverLimits.anonymousBytes` is reserved in a memory until `release`.
 */
export class BodyBytes {
  readonly #memory: Memory;
  readonly #maxBytes: number;
  #buffer: Buffer = Buffer.alloc(0);
  #isOwn = false;
  #reserved = 0;
  #size = 0;

  /** `maxBytes`: the most bytes that will be added. */
  constructor(memory: Memory, maxBytes: number) {
    this.#memory = memory;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#size);
  }

  /** Adds a piece; false: the memory is exhausted, and nothing was added. */
  add(piece: Buffer): boolean {
    const size = this.#size + piece.length;
    if (this.#size === 0) {
      // Most bodies are one piece.
      if (!this.#reserve(size)) return false;
      this.#buffer = piece;
    } else if (this.#isOwn && size <= this.#buffer.length) {
      piece.copy(this.#buffer, this.#size);
    } else {
      const capacity = Math.max(size, Math.min(2 * size, this.#maxBytes));
      if (!this.#reserve(capacity)) return false;
      const grown = Buffer.allocUnsafeSlow(capacity);
      this.#buffer.copy(grown, 0, 0, this.#size);
      piece.copy(grown, this.#size);
      this.#buffer = grown;
      this.#isOwn = true;
    }
    this.#size = size;
    return true;
  }

  #reserve(capacity: number): boolean {
    const wanted = Math.max(0, capacity - serverLimits.anonymousBytes);
    if (!this.#memory.reserve(wanted - this.#reserved)) return false;
    this.#reserved = wanted;
    return true;
  }

  /** Returns the reserved memory; the bytes must not be used any more. A second call is harmless. */
  release(): void {
    this.#memory.release(this.#reserved);
    this.#reserved = 0;
    this.#buffer = Buffer.alloc(0);
    this.#size = 0;
  }
}
