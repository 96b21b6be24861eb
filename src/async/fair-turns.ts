import { TurnBudget } from './turn-budget.ts';

/** The microtasks within which work begins after `queue` has resolved. */
const microtasks = 20;

/** The turns of one party. */
export interface PartyTurns {
  /** Null: the work, which is synchronous, can begin at once. Otherwise as `queue`. */
  wait(): Promise<void> | null;
  /** Resolves when the party's work can begin. The work begins within some microtasks, and is then synchronous. */
  queue(): Promise<void>;
}

/**
 * Bounds how long the synchronous work of all parties together holds a turn of the event loop, such as the validation of
 * documents. A piece of work is not interrupted. The time counts from the first piece in a turn. Parties with waiting work
 * go on one after the other, with one piece each.
 */
export class FairTurns {
  readonly #budget: TurnBudget;
  readonly #waiting = new Map<string, Array<() => void>>();
  #isServing = false;

  /** `ms`: how long all parties together may hold a turn of the event loop. */
  constructor(ms: number) {
    this.#budget = new TurnBudget(ms);
  }

  /** The turns of the party with a name. */
  of(party: string): PartyTurns {
    return {
      wait: () => (this.#isServing || this.#budget.isSpent() ? this.#queue(party) : null),
      queue: () => this.#queue(party),
    };
  }

  #queue(party: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const known = this.#waiting.get(party);
    if (known) known.push(resolve);
    else this.#waiting.set(party, [resolve]);
    if (!this.#isServing) void this.#serve();
    return promise;
  }

  async #serve(): Promise<void> {
    this.#isServing = true;
    while (this.#waiting.size > 0) {
      await this.#budget.wait();
      this.#releaseNext();
      for (let count = 0; count < microtasks; count += 1) await null;
    }
    this.#isServing = false;
  }

  /** Lets the party that has waited longest go on, and puts it behind the others. */
  #releaseNext(): void {
    const [next] = this.#waiting;
    if (!next) return;
    const [party, works] = next;
    const first = works.shift();
    this.#waiting.delete(party);
    if (works.length > 0) this.#waiting.set(party, works);
    first?.();
  }
}
