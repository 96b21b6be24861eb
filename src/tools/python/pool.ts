import type { Interpreter } from './interpreter.ts';

/** An interpreter that a thread holds, with what the thread has put into it. */
export interface CheckedOut {
  readonly interpreter: Interpreter;
  /** The ids of the files that it knows, by their paths below /mnt/data. */
  readonly files: Map<string, string>;
}

/** How many interpreters there may be, and for how long. */
export interface PoolOptions {
  /** How many at most, with those that are being kept ready. */
  max: number;
  /** How many are kept ready for threads that have none. */
  ready: number;
  /** How long an interpreter is kept for a thread that does not use it. */
  idleMs: number;
  start: () => Interpreter;
}

interface Entry extends CheckedOut {
  isBusy: boolean;
  usedAt: number;
}

/** Interpreters: one for each thread that uses one, as long as it does, and some that wait for the next. */
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
   * Works with the interpreter of a thread, alone; the thread is given a new one if it has none. Waits while all are busy.
   * Throws the signal's reason when it aborts while waiting, and what `work` throws.
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

  /** Ends all of them. */
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
      if (this.#isClosed) throw new Error('the interpreters are closed');
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
    const interpreter = this.#idle();
    if (!interpreter) return null;
    const entry: Entry = { interpreter, files: new Map(), isBusy: true, usedAt: Date.now() };
    this.#entries.set(thread, entry);
    this.#fill();
    return entry;
  }

  /** One for a thread that has none: one that waits, a new one, or the place of the one that was used longest ago. */
  #idle(): Interpreter | null {
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
