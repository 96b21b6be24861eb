/** Who holds bytes of a memory that many share. */
export interface MemoryHolder {
  name: string;
  /** The part of the memory, from 0 to 1. */
  share: number;
}

/** Bytes that can be reserved and returned. */
export interface Memory {
  /** Reserves bytes; false: there is no room, nothing is reserved, and the caller must not keep the bytes. */
  reserve(bytes: number): boolean;
  /** Returns bytes that were reserved. */
  release(bytes: number): void;
}

/** Bytes of memory that several holders share, each only up to its part. Counts what is reserved; it allocates nothing. */
export class SharedMemory {
  readonly #limit: number;
  readonly #minimum: number;
  #reserved = 0;
  readonly #held = new Map<string, number>();

  /** `limit`: bytes, of all holders together. `minimum`: bytes that a holder may have even if its part is smaller. */
  constructor(limit: number, minimum: number) {
    this.#limit = limit;
    this.#minimum = minimum;
  }

  /** The bytes that all holders have reserved. */
  get reserved(): number {
    return this.#reserved;
  }

  /** Reserves bytes for a holder; false: they exceed its part or the limit, and nothing is reserved. */
  reserve({ name, share }: MemoryHolder, bytes: number): boolean {
    const held = (this.#held.get(name) ?? 0) + bytes;
    if (held > Math.max(this.#limit * share, this.#minimum) || this.#reserved + bytes > this.#limit) return false;
    if (held > 0) this.#held.set(name, held);
    this.#reserved += bytes;
    return true;
  }

  /** Returns bytes that a holder has reserved. */
  release({ name }: MemoryHolder, bytes: number): void {
    const held = (this.#held.get(name) ?? 0) - bytes;
    if (held > 0) this.#held.set(name, held);
    else this.#held.delete(name);
    this.#reserved -= bytes;
  }

  /** The memory of one holder. */
  of(holder: MemoryHolder): Memory {
    return {
      reserve: (bytes) => this.reserve(holder, bytes),
      release: (bytes) => this.release(holder, bytes),
    };
  }
}
