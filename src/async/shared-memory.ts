import { MemoryBudget } from './memory-budget.ts';

/** Who holds bytes of a memory that many share. */
export interface MemoryHolder {
  name: string;
  /** The part of the memory, from 0 to 1. */
  share: number;
}

/** Bytes that can be reserved and returned. */
export type Memory = Pick<MemoryBudget, 'reserve' | 'release'>;

/** Bytes of memory that several holders share, each only up to its part. Counts what is reserved; it allocates nothing. */
export class SharedMemory {
  readonly #limit: number;
  readonly #minimum: number;
  readonly #budget: MemoryBudget;
  readonly #reserved = new Map<string, number>();

  /** `limit`: bytes, of all holders together. `minimum`: bytes that a holder may have even if its part is smaller. */
  constructor(limit: number, minimum: number) {
    this.#limit = limit;
    this.#minimum = minimum;
    this.#budget = new MemoryBudget(limit);
  }

  /** The bytes that all holders have reserved. */
  get reserved(): number {
    return this.#budget.reserved;
  }

  /** Reserves bytes for a holder; false: they exceed its part or the limit, and nothing is reserved. */
  reserve({ name, share }: MemoryHolder, bytes: number): boolean {
    const held = (this.#reserved.get(name) ?? 0) + bytes;
    if (held > Math.max(this.#limit * share, this.#minimum)) return false;
    if (!this.#budget.reserve(bytes)) return false;
    if (held > 0) this.#reserved.set(name, held);
    return true;
  }

  /** Returns bytes that a holder has reserved. */
  release({ name }: MemoryHolder, bytes: number): void {
    const held = (this.#reserved.get(name) ?? 0) - bytes;
    if (held > 0) this.#reserved.set(name, held);
    else this.#reserved.delete(name);
    this.#budget.release(bytes);
  }

  /** The memory of one holder. */
  of(holder: MemoryHolder): Memory {
    return {
      reserve: (bytes) => this.reserve(holder, bytes),
      release: (bytes) => this.release(holder, bytes),
    };
  }
}
