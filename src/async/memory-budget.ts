/**
 * Bytes of memory that several holders share. Counts what is reserved; it allocates nothing. A holder that is refused must
 * not keep the bytes.
 */
export class MemoryBudget {
  readonly #limit: number;
  #reserved = 0;

  /** `limit`: bytes, of all reservations together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The reserved bytes. */
  get reserved(): number {
    return this.#reserved;
  }

  /** Reserves bytes; false: they exceed the limit, and nothing is reserved. */
  reserve(bytes: number): boolean {
    if (this.#reserved + bytes > this.#limit) return false;
    this.#reserved += bytes;
    return true;
  }

  /** Returns bytes that were reserved. */
  release(bytes: number): void {
    this.#reserved -= bytes;
  }
}
