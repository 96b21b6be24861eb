/** A time limit that can be paused and restarted. */
export class Countdown {
  #timer: NodeJS.Timeout | undefined;
  #end: () => void = () => {};
  #leftMs = 0;
  #since = 0;
  #isPaused = false;
  #isStopped = false;

  /** Starts anew: calls `onEnd` after `ms` milliseconds that are not paused. A paused countdown stays paused. */
  start(ms: number, onEnd: () => void): void {
    clearTimeout(this.#timer);
    this.#leftMs = ms;
    this.#end = onEnd;
    if (!this.#isPaused) this.#run();
  }

  /** Stops the time. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#since;
  }

  /** Lets the rest of the time pass. */
  resume(): void {
    if (!this.#isPaused || this.#isStopped) return;
    this.#isPaused = false;
    this.#run();
  }

  /** Ends the countdown for good, without calling anything. */
  stop(): void {
    this.pause();
    this.#isStopped = true;
  }

  #run(): void {
    this.#since = performance.now();
    this.#timer = setTimeout(this.#end, Math.max(this.#leftMs, 0));
  }
}
