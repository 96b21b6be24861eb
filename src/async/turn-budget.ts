import { setImmediate as turn } from 'node:timers/promises';

/**
 * Bounds how long work that settles within microtasks can hold the event loop: statements of the embedded database, parts
 * that a stream has already received. All users of one budget share it. It counts from its first use in a turn of the loop.
 */
export class TurnBudget {
  readonly #ms: number;
  /** When the budget was first used in this turn; null: it has not been used. */
  #since: number | null = null;

  /** `ms`: how long all users together may hold a turn of the event loop. */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Null: go on at once. Otherwise a promise that resolves in a later turn, in which the budget has room. */
  wait(): Promise<void> | null {
    return this.isSpent() ? this.#nextTurn() : null;
  }

  /** Whether the users have held this turn for as long as they may. The first call in a turn starts the time. */
  isSpent(): boolean {
    const now = performance.now();
    if (this.#since !== null) return now - this.#since >= this.#ms;
    this.#since = now;
    setImmediate(() => {
      this.#since = null;
    });
    return false;
  }

  async #nextTurn(): Promise<void> {
    // All that wait resume in the same turn, one after the other: the first ones may spend it.
    do await turn();
    while (this.isSpent());
  }
}
