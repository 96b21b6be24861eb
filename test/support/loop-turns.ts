/** Measures the turns of this thread's event loop in CPU time, which other processes do not affect. */
export class LoopTurns implements Disposable {
  #longest = 0;
  #isStopped = false;
  #before = process.threadCpuUsage();

  constructor() {
    setImmediate(() => this.#onTurn());
  }

  /** The CPU time of the longest turn so far, the present one included, in milliseconds. */
  get longestMs(): number {
    return Math.max(this.#longest, this.#present) / 1000;
  }

  /** The CPU time of the present turn, in microseconds. */
  get #present(): number {
    const { user, system } = process.threadCpuUsage(this.#before);
    return user + system;
  }

  #onTurn(): void {
    this.#longest = Math.max(this.#longest, this.#present);
    this.#before = process.threadCpuUsage();
    if (!this.#isStopped) setImmediate(() => this.#onTurn());
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
  }
}
