/** A fair mutex that can be opened for good. (async-mutex has no `open`: its `cancel` rejects those who wait.) */
export class SendLock {
  #isHeld = false;
  #isOpen = false;
  #waiting: Array<() => void> = [];

  /** Resolves when the caller holds the lock, in the order of the calls; at once if it has been opened. */
  acquire(): Promise<void> {
    if (this.#isOpen) return Promise.resolve();
    if (!this.#isHeld) {
      this.#isHeld = true;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Passes the lock to the next caller. */
  release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#isHeld = false;
  }

  /** Lets all current and later callers through. */
  open(): void {
    this.#isOpen = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
