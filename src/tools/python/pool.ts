import { FairSlots, type Party } from '../../async/fair-slots.ts';
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
  readonly thread: string;
  isBusy: boolean;
  usedAt: number;
}

/** A call that waits for an interpreter. */
interface Turn {
  party: Party;
  thread: string;
  start: (checkout: Checkout) => void;
  refuse: (error: Error) => void;
}

/** An interpreter in use, and the function that gives its slot back. */
interface Checkout {
  entry: Entry;
  giveBack: () => void;
}

/** Interpreters: one for each thread that uses Python, and some that are ready for new threads. */
export class InterpreterPool {
  readonly #options: PoolOptions;
  readonly #entries = new Map<string, Entry>();
  #ready: Interpreter[] = [];
  /** Which users run programs at this moment. An interpreter that only keeps the variables of a thread holds no slot. */
  readonly #slots: FairSlots;
  #waiting: Turn[] = [];
  readonly #timer: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#slots = new FairSlots(options.max);
    this.#timer = setInterval(() => this.#endIdle(), Math.min(options.idleMs, 10_000)).unref();
    this.#fill();
  }

  /**
   * Runs `work` with exclusive use of the interpreter of `party`'s thread. A thread without one gets a new one. Waits while
   * all are busy, or while the party has its share of them (`FairSlots`). Throws the signal's reason when it aborts while
   * waiting, and the errors of `work`.
   */
  async use<T>(
    party: Party,
    thread: string,
    signal: AbortSignal,
    work: (session: CheckedOut) => Promise<T>,
  ): Promise<T> {
    const { entry, giveBack } = await this.#checkOut(party, `${party.workspaceId} ${thread}`, signal);
    try {
      return await work(entry);
    } finally {
      giveBack();
      entry.isBusy = false;
      entry.usedAt = Date.now();
      if (!entry.interpreter.isAlive || this.#isClosed) this.#drop(entry.thread, entry);
      this.#startWaiting();
    }
  }

  /** Ends all interpreters. Waits until their processes are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    const all = [...this.#ready, ...[...this.#entries.values()].map(({ interpreter }) => interpreter)];
    this.#ready = [];
    this.#entries.clear();
    for (const { refuse } of this.#waiting.splice(0)) refuse(new Error('the interpreter pool is closed'));
    await Promise.all(
      all.map((interpreter) => {
        interpreter.kill();
        return new Promise<void>((resolve) => interpreter.onEnd(resolve));
      }),
    );
  }

  async #checkOut(party: Party, thread: string, signal: AbortSignal): Promise<Checkout> {
    signal.throwIfAborted();
    if (this.#isClosed) throw new Error('the interpreter pool is closed');
    const { promise, resolve, reject } = Promise.withResolvers<Checkout>();
    const turn: Turn = { party, thread, start: resolve, refuse: reject };
    const abort = () => {
      this.#waiting = this.#waiting.filter((other) => other !== turn);
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#waiting.push(turn);
    this.#startWaiting();
    return promise.finally(() => signal.removeEventListener('abort', abort));
  }

  /** Starts what can start: first the workspace, then the user with the fewest running programs, then who waits longest. */
  #startWaiting(): void {
    for (let started: Turn | undefined; ; ) {
      const order = this.#waiting
        .filter(({ party }) => this.#slots.admits(party))
        .map((turn) => ({ turn, all: this.#slots.heldIn(turn.party.workspaceId), own: this.#slots.heldBy(turn.party) }))
        .sort((one, other) => one.all - other.all || one.own - other.own);
      started = order.map(({ turn }) => turn).find((turn) => this.#start(turn));
      if (!started) return;
      this.#waiting = this.#waiting.filter((turn) => turn !== started);
    }
  }

  #start({ party, thread, start }: Turn): boolean {
    const entry = this.#tryCheckOut(thread);
    if (entry) start({ entry, giveBack: this.#slots.take(party) });
    return entry !== null;
  }

  #tryCheckOut(thread: string): Entry | null {
    const known = this.#entries.get(thread);
    if (known?.isBusy) return null;
    if (known?.interpreter.isAlive) return Object.assign(known, { isBusy: true });
    if (known) this.#entries.delete(thread);
    const interpreter = this.#acquire();
    if (!interpreter) return null;
    const entry: Entry = { thread, interpreter, files: new Map(), isBusy: true, usedAt: Date.now() };
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
    this.#startWaiting();
  }
}
