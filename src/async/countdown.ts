/** A time limit that can be paused and restarted. */
export class Countdown {
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  /** What to call at the end; null: nothing is being waited for. */
  #end: (() => void) | null = null;
  #leftMs = 0;
  #since = 0;
  #isPaused = false;

  /** Starts anew: calls `onEnd` after `ms` milliseconds that are not paused. A paused countdown stays paused. */
  start(ms: number, onEnd: () => void): void {
    this.#clear();
    this.#leftMs = ms;
    this.#end = onEnd;
    if (!this.#isPaused) this.#run();
  }

  /** Stops the time. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#clear();
    this.#leftMs -= performance.now() - this.#since;
  }

  /** Lets the rest of the time pass. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#end) this.#run();
  }

  /** Ends the countdown without calling anything, until the next start. */
  stop(): void {
    this.#clear();
    this.#end = null;
  }

  #run(): void {
    const end = this.#end as () => void;
    this.#since = performance.now();
    // A process that was busy runs its timers before it reads what has arrived in the meantime.
    const afterReading = () => {
      this.#immediate = setImmediate(end);
    };
    this.#timer = setTimeout(afterReading, Math.max(this.#leftMs, 0));
  }

  #clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }
}
