/** Counts what a feed has received, and wakes the followers that wait for more. */
export class Wakeups {
  readonly #waiting = new Set<() => void>();
  #version = 0;

  /** Rises with everything that is received. A follower takes it before it reads, and passes it to `changed` after. */
  get version(): number {
    return this.#version;
  }

  /** Resolves when something has been received since `version`, or when the signal aborts. */
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

  /** Counts something that was received and wakes all followers. */
  wake(): void {
    this.#version += 1;
    for (const wake of [...this.#waiting]) wake();
  }
}
