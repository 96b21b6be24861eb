import { coalesce } from '../async/coalesce.ts';
import type { Services } from '../domain/context.ts';

/**
 * The periodic work of a worker. A chore never runs twice at a time, and its failures are logged, not thrown. While the database
 * is away no chore begins.
 */
export class Chores {
  readonly #log: Services['log'];
  readonly #availability: Services['availability'];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #running = new Set<Promise<void>>();
  #isStopped = false;

  constructor({ log, availability }: Pick<Services, 'log' | 'availability'>) {
    this.#log = log;
    this.#availability = availability;
  }

  /**
   * Runs `work` every `everyMs` milliseconds, unless it is still running. Returns a function that requests a run now: its
   * promise resolves with the end of a run that began after the request.
   */
  every(everyMs: number, name: string, work: () => Promise<void>): () => Promise<void> {
    let isRunning = false;
    const run = coalesce(async () => {
      isRunning = true;
      await this.#run(name, work);
      isRunning = false;
    });
    const onTick = () => {
      if (!isRunning) void run();
    };
    this.#timers.push(setInterval(onTick, everyMs).unref());
    return run;
  }

  /** Runs `work` once, after `delayMs` milliseconds. */
  after(delayMs: number, name: string, work: () => Promise<void>): void {
    this.#timers.push(setTimeout(() => void this.#run(name, work), delayMs).unref());
  }

  /** Starts no more runs, and resolves when those under way have ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(this.#running);
  }

  async #run(name: string, work: () => Promise<void>): Promise<void> {
    if (this.#isStopped || this.#availability.isAway) return;
    const running = work().catch((error) => this.#log.error({ err: error, chore: name }, 'chore failed'));
    this.#running.add(running);
    await running;
    this.#running.delete(running);
  }
}
