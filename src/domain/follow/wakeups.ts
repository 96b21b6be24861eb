/** Counts what a feed has received and wakes waiting followers. */
export class Wakeups {
  readonly #waiting = new Set<() => void>();
  #version = 0;

  /**
   * Increases with every receipt. A follower reads it before it reads the feed, and passes it to `changed` afterwards.
   */
  get version(): number {
    return this.#version;
  }

  /** Resolves when the feed has received something since `version`, or when the signal aborts. */
  changed(version: number, signal: AbortSignal): Promise<void> {
    if (version !== this.#version || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  /** Counts a receipt and wakes all waiting followers. */
  wake(): void {
    this.#version += 1;
    for (const wake of [...this.#waiting]) wake();
  }
}
