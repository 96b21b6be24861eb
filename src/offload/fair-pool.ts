import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { Party } from '../async/fair-slots.ts';
import { untilAborted } from '../async/until-aborted.ts';
import { OffloadMemoryError, OffloadTimeoutError } from './offload-error.ts';
import type { Task } from './task.ts';

/** How long a thread without work is kept, with the modules that it has loaded. */
const idleMs = 60_000;
/** The time limit of starting a thread and loading its modules. */
const maxStartMs = 60_000;

export interface FairPoolOptions {
  /** The file that the threads run: a module whose exported functions each take one `Task`. */
  worker: URL;
  /** How many threads run at most. */
  threads: number;
  /** The time limit of a task, from the moment at which its function calls `begin`. */
  timeoutMs: number;
  /** How long a task may wait for a free thread. */
  maxWaitMs: number;
  /** The limit of the heap of a thread, in MiB; default: the limit of Node.js. */
  maxHeapMb?: number;
}

/** The functions of a worker file: `typeof import('./worker.ts')`. */
type Functions<F> = { [Name in keyof F]: (task: Task<never>) => unknown };
type InputOf<Function> = Function extends (task: Task<infer Input>) => unknown ? Input : never;
type OutputOf<Function> = Function extends (task: Task<never>) => infer Output ? Awaited<Output> : never;

/** Whose work a task is: a workspace, or an end user in it. */
export type TaskOwner = string | Party;

/** One task's place in the queue. */
interface Turn {
  workspace: string;
  /** The key of the user within their workspace. */
  user: string;
  started: PromiseWithResolvers<void>;
}

/**
 * Threads for one kind of CPU-bound work on untrusted input. A task that exceeds its time or memory ends its thread and
 * nothing else. Each workspace has one task running at a time, so that none occupies all threads; next comes the workspace, and
 * in it the user, that was served least recently. Threads have no environment variables, start on demand, and end after a
 * minute without work.
 */
export class FairPool<F extends Functions<F>> {
  readonly #pool: Piscina;
  readonly #options: FairPoolOptions;
  readonly #busy = new Set<string>();
  readonly #waiting: Turn[] = [];
  /** When the workspaces and users with waiting tasks were last served: the number of that task. */
  readonly #served = new Map<string, number>();
  #tasks = 0;

  constructor(options: FairPoolOptions) {
    this.#options = options;
    const { worker, threads, maxHeapMb } = options;
    const resourceLimits = maxHeapMb === undefined ? {} : { maxOldGenerationSizeMb: maxHeapMb };
    const limits = { minThreads: 0, maxThreads: threads, idleTimeout: idleMs, resourceLimits };
    this.#pool = new Piscina({ ...limits, filename: worker.href, env: {} });
    // A thread that runs out of memory after its task was given up: an unhandled 'error' event would end the process.
    this.#pool.on('error', () => {});
  }

  /**
   * Runs a function of the worker file for `owner` and resolves with its result. Throws OffloadTimeoutError, OffloadMemoryError,
   * the signal's reason when it aborts (which ends the task), and a copy of the function's own error, without its class.
   */
  async run<Name extends keyof F & string>(
    owner: TaskOwner,
    name: Name,
    input: InputOf<F[Name]>,
    signal?: AbortSignal,
  ): Promise<OutputOf<F[Name]>> {
    const workspace = typeof owner === 'string' ? owner : owner.workspaceId;
    const user = typeof owner === 'string' ? workspace : `${workspace} ${owner.owner}`;
    const turn: Turn = { workspace, user, started: Promise.withResolvers() };
    this.#waiting.push(turn);
    this.#startNext();
    try {
      if (this.#waiting.includes(turn)) await this.#wait(turn, signal);
      return (await this.#runNow(name, input, signal)) as OutputOf<F[Name]>;
    } finally {
      this.#leave(turn);
    }
  }

  async #runNow(name: string, input: unknown, signal?: AbortSignal): Promise<unknown> {
    const { timeoutMs, maxHeapMb } = this.#options;
    const timeout = new AbortController();
    const { port1: begun, port2: begin } = new MessageChannel();
    let timer = setTimeout(() => timeout.abort(), maxStartMs);
    begun.once('message', () => {
      clearTimeout(timer);
      timer = setTimeout(() => timeout.abort(), timeoutMs);
    });
    try {
      return await this.#pool.run({ input, begin } satisfies Task<unknown>, {
        name,
        signal: signal ? AbortSignal.any([signal, timeout.signal]) : timeout.signal,
        transferList: [begin] as never,
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (timeout.signal.aborted) throw new OffloadTimeoutError(`${name} took longer than ${timeoutMs} ms`);
      const isOutOfMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
      throw isOutOfMemory ? new OffloadMemoryError(`${name} needed more than ${maxHeapMb} MiB`) : error;
    } finally {
      clearTimeout(timer);
      begun.close();
    }
  }

  async #wait({ started }: Turn, signal?: AbortSignal): Promise<void> {
    const { maxWaitMs } = this.#options;
    const timeout = AbortSignal.timeout(maxWaitMs);
    try {
      await untilAborted(started.promise, signal ? AbortSignal.any([signal, timeout]) : timeout);
    } catch {
      signal?.throwIfAborted();
      throw new OffloadTimeoutError(`no thread was free for ${maxWaitMs} ms`);
    }
  }

  #leave(turn: Turn): void {
    const index = this.#waiting.indexOf(turn);
    if (index >= 0) this.#waiting.splice(index, 1);
    else this.#busy.delete(turn.workspace);
    this.#startNext();
    // A new task of somebody without waiting ones is served first.
    for (const key of [turn.workspace, turn.user]) {
      if (!this.#waiting.some(({ workspace, user }) => key === workspace || key === user)) this.#served.delete(key);
    }
  }

  #startNext(): void {
    while (this.#busy.size < this.#options.threads) {
      const servedAt = (key: string) => this.#served.get(key) ?? 0;
      const [turn] = this.#waiting
        .filter(({ workspace }) => !this.#busy.has(workspace))
        .sort((a, b) => servedAt(a.workspace) - servedAt(b.workspace) || servedAt(a.user) - servedAt(b.user));
      if (!turn) return;
      this.#waiting.splice(this.#waiting.indexOf(turn), 1);
      this.#busy.add(turn.workspace);
      this.#tasks += 1;
      this.#served.set(turn.workspace, this.#tasks).set(turn.user, this.#tasks);
      turn.started.resolve();
    }
  }

  /** Ends the threads. Tasks that still run reject. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
