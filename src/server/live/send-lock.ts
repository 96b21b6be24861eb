/** Lets one through at a time, in order, until it is opened for all. */
export class SendLock {
  #isTaken = false;
  #isOpen = false;
  #waiting: Array<() => void> = [];

  /** Resolves when it is the caller's turn. */
  acquire(): Promise<void> {
    if (this.#isOpen) return Promise.resolve();
    if (!this.#isTaken) {
      this.#isTaken = true;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Whoever went through is done: the next one's turn. */
  release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#isTaken = false;
  }

  /** Lets all through, for good. */
  open(): void {
    this.#isOpen = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
