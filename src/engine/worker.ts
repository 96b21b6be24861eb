import type { Services } from '../domain/context.ts';
import { systemContext } from '../domain/context.ts';
import { expireRun, findStrandedRuns } from '../domain/lease.ts';
import { deleteExpiredThreads } from '../domain/retention.ts';
import type { RunJob } from '../queue/queue.ts';
import type { Patience } from './call-model.ts';
import { type Execution, executeRun } from './execute-run.ts';
import { PieceWriter } from './piece-writer.ts';

/** How often the worker looks for runs whose worker is gone, and for runs past their time. */
const sweepEveryMs = 3000;
/** How often threads past their workspace's time to live are looked for. */
const retentionEveryMs = 60 * 60 * 1000;

/** Executes runs: those it is rung for, and those that another worker left behind. */
export class Worker {
  readonly #services: Services;
  readonly #execution: Execution;
  readonly #concurrency: number;
  readonly #executing = new Map<string, Promise<void>>();
  readonly #rungAgain = new Set<string>();
  readonly #shutdown = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  #sweeping: Promise<void> = Promise.resolve();

  constructor(services: Services, options: { concurrency: number; patience: Patience }) {
    this.#services = services;
    this.#concurrency = options.concurrency;
    const writer = new PieceWriter(services.database, services.bus, services.log);
    this.#execution = { services, writer, patience: options.patience, shutdown: this.#shutdown.signal };
  }

  /** Begins to take jobs. */
  async start(): Promise<void> {
    await this.#services.queue.work((job) => this.#take(job));
    await this.sweep();
    this.#every(sweepEveryMs, () => this.sweep());
    this.#every(retentionEveryMs, () => deleteExpiredThreads(this.#services));
  }

  /** Takes no more jobs, gives back the runs it is at, and resolves when none is left. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#services.queue.stopWork();
    this.#shutdown.abort();
    await this.#sweeping;
    await Promise.all(this.#executing.values());
  }

  /** Takes over runs that nobody executes any more, and ends those past their time. */
  async sweep(): Promise<void> {
    const { leaderless, expired } = await findStrandedRuns(this.#services.database);
    for (const { workspaceId, threadId, id: runId } of leaderless) {
      if (this.#executing.size < this.#concurrency) await this.#take({ workspaceId, threadId, runId });
    }
    for (const run of expired) await expireRun(systemContext(this.#services, run.workspaceId), run);
  }

  #every(ms: number, work: () => Promise<void>): void {
    const tick = () => {
      this.#sweeping = this.#sweeping.then(work).catch((error) => this.#services.log.error({ err: error }, 'sweep'));
    };
    this.#timers.push(setInterval(tick, ms).unref());
  }

  /** Starts a run as soon as there is room; resolves when it has started. */
  async #take(job: RunJob): Promise<void> {
    while (this.#executing.size >= this.#concurrency) await Promise.race(this.#executing.values());
    if (this.#shutdown.signal.aborted) return;
    if (this.#executing.has(job.runId)) {
      // It may just have let go of the run, which goes on already: the ring is answered when that is over.
      this.#rungAgain.add(job.runId);
      return;
    }
    const execution = executeRun(this.#execution, job)
      .catch((error) => this.#services.log.error({ err: error, runId: job.runId }, 'execution'))
      .finally(() => {
        this.#executing.delete(job.runId);
        if (this.#rungAgain.delete(job.runId)) void this.#take(job);
      });
    this.#executing.set(job.runId, execution);
  }
}
