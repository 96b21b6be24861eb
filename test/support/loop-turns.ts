/** Measures the turns of this thread's event loop in CPU time, which other processes do not affect. */
export class LoopTurns implements Disposable {
  #longest = 0;
  #isStopped = false;
  #before = process.threadCpuUsage();

  constructor() {
    setImmediate(() => this.#onTurn());
  }

  /** The CPU time of the longest turn so far, in milliseconds. */
  get longestMs(): number {
    return this.#longest / 1000;
  }

  #onTurn(): void {
    const { user, system } = process.threadCpuUsage(this.#before);
    this.#longest = Math.max(this.#longest, user + system);
    this.#before = process.threadCpuUsage();
    if (!this.#isStopped) setImmediate(() => this.#onTurn());
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
  }
}
