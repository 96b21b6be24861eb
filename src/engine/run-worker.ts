import { coalesce } from '../async/coalesce.ts';
import { cancelTopic } from '../bus/bus.ts';
import type { Run } from '../db/generated/client.ts';
import { type Services, systemContext } from '../domain/context.ts';
import { claimQueuedRuns } from '../domain/run/claim.ts';
import { expireRun, findStrandedRuns, type StrandedRun, takeOverRun } from '../domain/run/lease.ts';
import type { Offload } from '../offload/offload.ts';
import type { RunJob } from '../queue/queue.ts';
import type { ModelTimeouts } from './call-model.ts';
import { DeltaWriter } from './delta-writer.ts';
import { type ExecutorContext, executeRun } from './execute-run.ts';

/** How many runs one statement claims. */
const claimBatch = 20;

export interface RunWorkerOptions {
  /** How many runs a process executes at the same time. */
  concurrency: number;
  timeouts: ModelTimeouts;
  offload: Offload;
}

/** Executes runs: claims queued ones while there is room, takes over those that another worker left, and cancels. */
export class RunWorker {
  readonly #services: Services;
  readonly #concurrency: number;
  readonly #executor: ExecutorContext;
  readonly #executing = new Map<string, { done: Promise<void>; cancel: () => void }>();
  readonly #unsubscribe: () => void;
  /** Claims runs until none waits or no room is left. A request while it claims makes it look once more. */
  readonly #fill = coalesce(() => this.#claimRuns());
  /** The runs whose cancellation was requested while runs were being claimed; null: no claim is under way. */
  #cancelledInClaim: Set<string> | null = null;
  /** The takeovers under way. */
  readonly #takingOver = new Set<Promise<void>>();
  /** Whether the last claim left runs behind. */
  #isMoreWaiting = false;
  #claimRetry: NodeJS.Timeout | null = null;

  /** `shutdown` aborts before `stop` is called. */
  constructor(services: Services, { concurrency, timeouts, offload }: RunWorkerOptions, shutdown: AbortSignal) {
    this.#services = services;
    this.#concurrency = concurrency;
    this.#executor = { services, writer: new DeltaWriter(services), offload, timeouts, shutdown };
    this.#unsubscribe = services.bus.subscribe(cancelTopic, (message) => {
      if (message.kind === 'cancel') this.#cancel(message.runId);
    });
  }

  async start(): Promise<void> {
    await this.#services.queue.work((job) => this.#onJob(job));
  }

  /** Resolves when every run that it executed has ended or has been handed back. */
  async stop(): Promise<void> {
    if (this.#claimRetry) clearTimeout(this.#claimRetry);
    // Without room this claims nothing: it resolves after a claim that is under way.
    await this.#fill();
    await Promise.allSettled(this.#takingOver);
    await Promise.all([...this.#executing.values()].map(({ done }) => done));
    this.#unsubscribe();
  }

  /**
   * Takes over runs whose worker is gone, ends those past their time, and claims queued ones. After an outage of the database
   * nothing is taken over for the time of a lease: living workers renew theirs first.
   */
  async sweep(): Promise<void> {
    const { database, availability, timing } = this.#services;
    const { leaderless, expired } = await findStrandedRuns(database);
    const areRenewing = availability.wasAwayWithin(timing.run.leaseMs);
    for (const run of leaderless) {
      if (this.#room > 0 && !areRenewing) await this.#logFailure(run, 'run takeover failed', () => this.#takeOver(run));
    }
    for (const run of expired) {
      const ctx = systemContext(this.#services, run.workspaceId);
      await this.#logFailure(run, 'run expiry failed', () => expireRun(ctx, run));
    }
    void this.#fill();
  }

  /** Keeps the failure of one run from the other runs of a sweep. */
  async #logFailure({ id }: StrandedRun, message: string, work: () => Promise<void>): Promise<void> {
    await work().catch((error) => this.#services.log.error({ err: error, runId: id }, message));
  }

  get #room(): number {
    return this.#executor.shutdown.aborted ? 0 : this.#concurrency - this.#executing.size;
  }

  /** A job only announces work: the rows say which. */
  async #onJob(job: RunJob): Promise<void> {
    if (job.isHandedBack && this.#room > 0) await this.#takeOver({ ...job, id: job.runId });
    void this.#fill();
  }

  async #claimRuns(): Promise<void> {
    this.#cancelledInClaim = new Set();
    try {
      await this.#claimWhileRoom();
    } catch (error) {
      this.#services.log.error({ err: error }, 'run claim failed');
    } finally {
      this.#cancelledInClaim = null;
    }
  }

  async #claimWhileRoom(): Promise<void> {
    for (;;) {
      const limit = Math.min(this.#room, claimBatch);
      if (limit === 0) {
        this.#isMoreWaiting = true;
        return;
      }
      const { runs, isMoreWaiting } = await claimQueuedRuns(this.#services, limit);
      this.#isMoreWaiting = isMoreWaiting;
      for (const run of runs) this.#execute(run);
      if (runs.length < limit) break;
    }
    if (this.#isMoreWaiting && !this.#executor.shutdown.aborted) this.#retryClaim();
  }

  /** Runs were left although there is room: another process held their threads, or their workspace is at its limit. */
  #retryClaim(): void {
    this.#claimRetry ??= setTimeout(() => {
      this.#claimRetry = null;
      void this.#fill();
    }, this.#services.timing.run.claimRetryMs);
  }

  async #takeOver(stranded: StrandedRun): Promise<void> {
    if (this.#executing.has(stranded.id)) return;
    const takeover = this.#takeOverNow(stranded).finally(() => this.#takingOver.delete(takeover));
    this.#takingOver.add(takeover);
    await takeover;
  }

  async #takeOverNow({ workspaceId, threadId, id }: StrandedRun): Promise<void> {
    const run = await takeOverRun(systemContext(this.#services, workspaceId), threadId, id);
    if (run) this.#execute(run);
  }

  #execute(run: Run): void {
    const stop = new AbortController();
    const cancel = () => stop.abort('cancelled');
    if (this.#cancelledInClaim?.has(run.id)) cancel();
    const done = executeRun(this.#executor, run, stop)
      .catch((error) => this.#services.log.error({ err: error, runId: run.id }, 'run execution failed'))
      .finally(() => {
        // A run that this worker lost and took over again has another entry by now.
        if (this.#executing.get(run.id)?.cancel === cancel) this.#executing.delete(run.id);
        if (this.#isMoreWaiting) void this.#fill();
      });
    this.#executing.set(run.id, { done, cancel });
  }

  #cancel(runId: string): void {
    this.#cancelledInClaim?.add(runId);
    this.#executing.get(runId)?.cancel();
  }
}
