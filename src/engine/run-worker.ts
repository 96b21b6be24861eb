import { coalesce } from '../async/coalesce.ts';
import { FairSlots } from '../async/fair-slots.ts';
import { cancelTopic } from '../bus/bus.ts';
import { type Services, systemContext } from '../domain/context.ts';
import { claimQueuedRuns } from '../domain/run/claim.ts';
import {
  type ClaimedRun,
  expireRun,
  findStrandedRuns,
  renewLeases,
  type StrandedRun,
  takeOverRun,
} from '../domain/run/lease.ts';
import type { Offload } from '../offload/offload.ts';
import type { RunJob } from '../queue/queue.ts';
import type { AnswerLimits } from './answer-limits.ts';
import type { ModelTimeouts } from './call-model.ts';
import { DeltaWriter } from './delta-writer.ts';
import { type ExecutorContext, executeRun, type StopReason } from './execute-run.ts';
import { Quarantine } from './quarantine.ts';
import { partyOf } from './run-execution.ts';
import { RunPace } from './run-pace.ts';

/** How many runs one statement claims. */
const claimBatch = 20;

export interface RunWorkerOptions {
  /** How many runs a process executes at the same time. */
  concurrency: number;
  timeouts: ModelTimeouts;
  answer: AnswerLimits;
  offload: Offload;
}

/** A run that this worker executes. */
interface Execution {
  readonly run: ClaimedRun;
  readonly done: Promise<void>;
  stop(reason: StopReason): void;
}

/** Executes runs: claims queued ones while there is room, takes over those that another worker left, and cancels. */
export class RunWorker {
  readonly #services: Services;
  readonly #slots: FairSlots;
  readonly #executor: ExecutorContext;
  readonly #quarantine: Quarantine;
  readonly #executing = new Map<string, Execution>();
  readonly #unsubscribe: () => void;
  readonly #renewal: NodeJS.Timeout;
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
  constructor(services: Services, { concurrency, ...options }: RunWorkerOptions, shutdown: AbortSignal) {
    this.#services = services;
    this.#slots = new FairSlots(concurrency);
    this.#executor = { services, writer: new DeltaWriter(services), pace: new RunPace(), ...options, shutdown };
    this.#quarantine = new Quarantine(services.timing.run.quarantineMs, () => this.#sweepForSuspects());
    this.#unsubscribe = services.bus.subscribe(cancelTopic, (message) => {
      if (message.kind === 'cancel') this.#cancel(message.runId);
    });
    const renew = coalesce(() => this.#renewLeases());
    this.#renewal = setInterval(() => void renew(), services.timing.run.leaseRenewalMs);
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
    this.#quarantine.close();
    clearInterval(this.#renewal);
    this.#unsubscribe();
  }

  /** Whether this worker executes no run. */
  get isIdle(): boolean {
    return this.#executing.size === 0;
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
      const isWaitingSuspect = run.losses > 0 && run.leasedUntil === null;
      if (areRenewing || !this.#hasRoomFor(run) || (isWaitingSuspect && !this.#quarantine.hasRoom)) continue;
      await this.#logFailure(run, 'run takeover failed', () => this.#takeOver(run));
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
    return this.#executor.shutdown.aborted ? 0 : this.#slots.free;
  }

  #hasRoomFor(run: Parameters<typeof partyOf>[0]): boolean {
    return this.#room > 0 && this.#slots.admits(partyOf(run));
  }

  /** A job only announces work: the rows say which. */
  async #onJob(job: RunJob): Promise<void> {
    const { workspaceId, runId: id, handedBackFor: slotOwner } = job;
    if (slotOwner !== undefined && this.#hasRoomFor({ workspaceId, slotOwner })) await this.#takeOver({ ...job, id });
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
      const { runs, isMoreWaiting } = await claimQueuedRuns(this.#services, limit, this.#slots);
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
    const ctx = systemContext(this.#services, workspaceId);
    let isAdmitted = false;
    const admit = () => {
      isAdmitted = this.#quarantine.enter(id);
      return isAdmitted;
    };
    let run: ClaimedRun | null = null;
    try {
      run = await takeOverRun(ctx, threadId, id, admit);
    } finally {
      if (run) this.#execute(run);
      // Another sweep may have taken it over meanwhile.
      else if (isAdmitted) this.#quarantine.withdraw(id);
    }
  }

  #sweepForSuspects(): void {
    if (this.#room === 0) return;
    this.sweep().catch((error) => this.#services.log.error({ err: error }, 'run sweep failed'));
  }

  #execute(run: ClaimedRun): void {
    const controller = new AbortController();
    const stop = (reason: StopReason) => controller.abort(reason);
    if (this.#cancelledInClaim?.has(run.id)) stop('cancelled');
    const giveBack = this.#slots.take(partyOf(run));
    const done = executeRun(this.#executor, run, controller)
      .catch((error) => this.#services.log.error({ err: error, runId: run.id }, 'run execution failed'))
      .finally(() => {
        giveBack();
        // A run that this worker lost and took over again has another entry by now.
        if (this.#executing.get(run.id)?.run === run) this.#executing.delete(run.id);
        this.#quarantine.leave(run.id);
        if (this.#isMoreWaiting) void this.#fill();
      });
    this.#executing.set(run.id, { run, done, stop });
  }

  /** Renews the leases of all runs that it executes, and stops those that it has lost or that are to be cancelled. */
  async #renewLeases(): Promise<void> {
    const executions = [...this.#executing.values()];
    if (executions.length === 0) return;
    try {
      const statuses = await renewLeases(
        this.#services,
        executions.map(({ run }) => run),
      );
      for (const { run, stop } of executions) {
        const status = statuses.get(run.id);
        if (status === undefined) stop('lease-lost');
        if (status === 'CANCELLING') stop('cancelled');
      }
    } catch (error) {
      this.#services.log.warn({ err: error }, 'lease renewal failed');
    }
  }

  #cancel(runId: string): void {
    this.#cancelledInClaim?.add(runId);
    this.#executing.get(runId)?.stop('cancelled');
  }
}
