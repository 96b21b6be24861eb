import type { Interpreter } from './interpreter.ts';

/** The interpreter of a thread, with the files that were put into it. */
export interface CheckedOut {
  readonly interpreter: Interpreter;
  /** The ids of its files, by their paths below /mnt/data. */
  readonly files: Map<string, string>;
}

/** The size of a pool. */
export interface PoolOptions {
  /** The limit of interpreters, with those that are ready. */
  max: number;
  /** The number of interpreters that are kept ready for new threads. */
  ready: number;
  /** How long the interpreter of a thread is kept without use, in milliseconds. */
  idleMs: number;
  start: () => Interpreter;
}

interface Entry extends CheckedOut {
  isBusy: boolean;
  usedAt: number;
}

/** Interpreters: one for each thread that uses Python, and some that are ready for new threads. */
export class InterpreterPool {
  readonly #options: PoolOptions;
  readonly #entries = new Map<string, Entry>();
  #ready: Interpreter[] = [];
  #waiting: Array<() => void> = [];
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#endIdle(), Math.min(options.idleMs, 10_000)).unref();
    this.#fill();
  }

  /**
   * Runs `work` with exclusive use of a thread's interpreter. A thread without one gets a new one. Waits while all are busy.
   * Throws the signal's reason when it aborts while waiting, and the errors of `work`.
   */
  async use<T>(thread: string, signal: AbortSignal, work: (session: CheckedOut) => Promise<T>): Promise<T> {
    const entry = await this.#checkOut(thread, signal);
    try {
      return await work(entry);
    } finally {
      entry.isBusy = false;
      entry.usedAt = Date.now();
      if (!entry.interpreter.isAlive || this.#isClosed) this.#drop(thread, entry);
      this.#wake();
    }
  }

  /** Ends all interpreters. Waits until their processes are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    const all = [...this.#ready, ...[...this.#entries.values()].map(({ interpreter }) => interpreter)];
    this.#ready = [];
    this.#entries.clear();
    this.#wake();
    await Promise.all(
      all.map((interpreter) => {
        interpreter.kill();
        return new Promise<void>((resolve) => interpreter.onEnd(resolve));
      }),
    );
  }

  async #checkOut(thread: string, signal: AbortSignal): Promise<Entry> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#isClosed) throw new Error('the interpreter pool is closed');
      const entry = this.#tryCheckOut(thread);
      if (entry) return entry;
      await this.#turn(signal);
    }
  }

  #tryCheckOut(thread: string): Entry | null {
    const known = this.#entries.get(thread);
    if (known?.isBusy) return null;
    if (known?.interpreter.isAlive) return Object.assign(known, { isBusy: true });
    if (known) this.#entries.delete(thread);
    const interpreter = this.#acquire();
    if (!interpreter) return null;
    const entry: Entry = { interpreter, files: new Map(), isBusy: true, usedAt: Date.now() };
    this.#entries.set(thread, entry);
    this.#fill();
    return entry;
  }

  /** An interpreter for a new thread: a ready one, a new one, or a new one in place of the least recently used. */
  #acquire(): Interpreter | null {
    this.#ready = this.#ready.filter(({ isAlive }) => isAlive);
    for (const [thread, { isBusy, interpreter }] of this.#entries) {
      if (!isBusy && !interpreter.isAlive) this.#entries.delete(thread);
    }
    const ready = this.#ready.shift();
    if (ready) return ready;
    if (this.#count < this.#options.max) return this.#options.start();
    const [oldest] = [...this.#entries].filter(([, { isBusy }]) => !isBusy).sort(([, a], [, b]) => a.usedAt - b.usedAt);
    if (!oldest) return null;
    this.#drop(...oldest);
    return this.#options.start();
  }

  get #count(): number {
    return this.#entries.size + this.#ready.length;
  }

  #fill(): void {
    while (!this.#isClosed && this.#ready.length < this.#options.ready && this.#count < this.#options.max) {
      const interpreter = this.#options.start();
      this.#ready.push(interpreter);
    }
  }

  #drop(thread: string, entry: Entry): void {
    entry.interpreter.kill();
    if (this.#entries.get(thread) === entry) this.#entries.delete(thread);
    this.#fill();
  }

  #endIdle(): void {
    const before = Date.now() - this.#options.idleMs;
    for (const [thread, entry] of this.#entries) {
      if (!entry.isBusy && entry.usedAt < before) this.#drop(thread, entry);
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(() => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
    });
  }
}
