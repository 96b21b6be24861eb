/** An amount that drains at a constant rate: what has been used beyond an average, in any unit. */
export class DrainingLevel {
  readonly perSecond: number;
  readonly #highest: number;
  #amount = 0;
  #at = performance.now();

  /** `perSecond`: the rate, above 0. `highest`: the level does not rise beyond it. */
  constructor(perSecond: number, highest = Number.POSITIVE_INFINITY) {
    this.perSecond = perSecond;
    this.#highest = highest;
  }

  /** Adds an amount that has been used. */
  add(amount: number): void {
    this.#amount = Math.min(this.#now() + amount, this.#highest);
    this.#at = performance.now();
  }

  /** The milliseconds until the level is below `target`; 0: it is. */
  msUntilBelow(target: number): number {
    const excess = this.#now() - target;
    return excess < 0 ? 0 : Math.max(1, Math.ceil((excess / this.perSecond) * 1000));
  }

  #now(): number {
    return Math.max(0, this.#amount - ((performance.now() - this.#at) / 1000) * this.perSecond);
  }
}
