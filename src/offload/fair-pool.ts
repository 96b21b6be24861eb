import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type * as worker from './worker.ts';

/** After so long without work a thread ends, and what it has loaded with it. */
const idleMs = 60_000;

/** Longer than this no machine takes to start a thread. */
const maxStartMs = 60_000;

/** The question took too long, or had to wait too long behind others. */
export class OffloadTimeoutError extends Error {}

interface Waiting {
  owner: string;
  start: () => void;
}

/**
 * A few threads for one kind of work. Of one owner one question is answered at a time, so that nobody keeps all threads; the
 * time that a question may take is counted from when a thread begins with it.
 */
export class FairPool {
  readonly #pool: Piscina;
  readonly #threads: number;
  readonly #timeoutMs: number;
  readonly #maxWaitMs: number;
  readonly #busy = new Set<string>();
  readonly #waiting: Waiting[] = [];

  constructor({ threads, timeoutMs, maxWaitMs }: { threads: number; timeoutMs: number; maxWaitMs: number }) {
    this.#threads = threads;
    this.#timeoutMs = timeoutMs;
    this.#maxWaitMs = maxWaitMs;
    const filename = new URL('./worker.ts', import.meta.url).href;
    this.#pool = new Piscina({ filename, minThreads: 0, maxThreads: threads, idleTimeout: idleMs });
  }

  /** Answers a question of `owner` by a function of the worker. Throws OffloadTimeoutError, and what the function throws. */
  async run<T>(owner: string, name: keyof typeof worker, question: unknown): Promise<T> {
    await this.#turn(owner);
    const stop = new AbortController();
    const { port1: began, port2: begin } = new MessageChannel();
    // A thread that is yet to start, on a busy machine, is not what takes too long.
    let timer = setTimeout(() => stop.abort(), maxStartMs);
    began.once('message', () => {
      clearTimeout(timer);
      timer = setTimeout(() => stop.abort(), this.#timeoutMs);
    });
    try {
      const task = { question, begin } satisfies worker.Task<unknown>;
      return (await this.#pool.run(task, { name, signal: stop.signal, transferList: [begin] as never })) as T;
    } catch (error) {
      if (stop.signal.aborted) throw new OffloadTimeoutError(`${name} took longer than ${this.#timeoutMs} ms`);
      throw error;
    } finally {
      clearTimeout(timer);
      began.close();
      this.#busy.delete(owner);
      this.#next();
    }
  }

  /** Resolves when it is the owner's turn. */
  #turn(owner: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(new OffloadTimeoutError(`no thread was free for ${this.#maxWaitMs} ms`));
      }, this.#maxWaitMs);
      const entry = {
        owner,
        start: () => {
          clearTimeout(timer);
          this.#busy.add(owner);
          resolve();
        },
      };
      this.#waiting.push(entry);
      this.#next();
    });
  }

  #next(): void {
    while (this.#busy.size < this.#threads) {
      const index = this.#waiting.findIndex(({ owner }) => !this.#busy.has(owner));
      if (index < 0) return;
      this.#waiting.splice(index, 1)[0]?.start();
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
