import { cancelTopic } from '../bus/bus.ts';
import type { Run } from '../db/generated/client.ts';
import { type Services, systemContext } from '../domain/context.ts';
import { deleteUnusedBlobs } from '../domain/file/blob.ts';
import { purgeDeletedWorkspaces } from '../domain/retention/deleted-workspaces.ts';
import { deleteExpiredThreads } from '../domain/retention/expired-threads.ts';
import { claimQueuedRuns } from '../domain/run/claim.ts';
import { expireRun, findStrandedRuns, type StrandedRun, takeOverRun } from '../domain/run/lease.ts';
import { deleteUnrecordedSteps } from '../domain/run/step-recording.ts';
import { embedWaitingFiles, forgetOtherModels } from '../domain/search/embedding.ts';
import { ingestWaitingFiles } from '../domain/search/ingest.ts';
import type { Offload } from '../offload/offload.ts';
import type { RunJob } from '../queue/queue.ts';
import type { ModelTimeouts } from './call-model.ts';
import { DeltaWriter } from './delta-writer.ts';
import { type ExecutorContext, executeRun } from './execute-run.ts';

/** How many files are read at a time. */
const ingestionLanes = 2;
/** How many runs are claimed with one statement. */
const claimBatch = 20;

/** Executes runs: those that wait, as many as there is room for, and those that another worker left behind. */
export class Worker {
  readonly #services: Services;
  readonly #execution: ExecutorContext;
  readonly #concurrency: number;
  readonly #executing = new Map<string, { done: Promise<void>; cancel: () => void }>();
  readonly #shutdown = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  /** What is done now and then, while it is done. */
  readonly #chores = new Map<() => Promise<void>, Promise<void>>();
  readonly #unsubscribe: () => void;
  /** Wishes to cancel that came while runs were being claimed. */
  #cancelled = new Set<string>();
  #filling: Promise<void> | null = null;
  #isRequested = false;
  /** Whether the last look left runs behind. */
  #isMoreWaiting = false;
  #lookAgain: NodeJS.Timeout | null = null;

  constructor(services: Services, options: { concurrency: number; patience: ModelTimeouts; offload: Offload }) {
    this.#services = services;
    this.#concurrency = options.concurrency;
    const writer = new DeltaWriter(services);
    const { patience, offload } = options;
    this.#execution = { services, writer, offload, patience, shutdown: this.#shutdown.signal };
    this.#unsubscribe = services.bus.subscribe(cancelTopic, (message) => {
      if (message.kind === 'cancel') this.#cancel(message.runId);
    });
  }

  /** Begins to execute runs. */
  async start(): Promise<void> {
    await this.#services.queue.work((job) => this.#onJob(job));
    await this.#startIngestion();
    await this.sweep();
    this.#every(this.#services.timing.run.sweepMs, () => this.sweep());
    this.#every(this.#services.timing.run.sweepMs, () => purgeDeletedWorkspaces(this.#services, this.#shutdown.signal));
    this.#every(this.#services.timing.chore.tidyMs, () => deleteUnusedBlobs(this.#services, this.#shutdown.signal));
    this.#every(this.#services.timing.chore.tidyMs, () => deleteUnrecordedSteps(this.#services, this.#shutdown.signal));
    this.#every(this.#services.timing.chore.retentionMs, () =>
      deleteExpiredThreads(this.#services, this.#shutdown.signal),
    );
  }

  /** Begins to make files searchable. A ring is answered as soon as one lane has looked for what it was about. */
  async #startIngestion(): Promise<void> {
    const { signal } = this.#shutdown;
    const lanes = Array.from({ length: ingestionLanes }, () => () => ingestWaitingFiles(this.#services, signal));
    await this.#services.queue.workIngestion(() =>
      Promise.race(
        lanes.map(async (lane) => {
          // Who is at it may have looked for the last time before this file came.
          await this.#chores.get(lane);
          await this.#chore(lane);
        }),
      ),
    );
    for (const lane of lanes) this.#every(this.#services.timing.run.sweepMs, lane);
    const forget = () => forgetOtherModels(this.#services);
    await forget();
    // Another instance, which has another model, may be on its way out while this one starts.
    this.#timers.push(setTimeout(() => void this.#chore(forget), this.#services.timing.chore.retentionMs).unref());
    const embed = () => embedWaitingFiles(this.#services, signal);
    void this.#chore(embed);
    this.#every(this.#services.timing.run.sweepMs, embed);
  }

  /** Takes no more runs, gives back those it is at, and resolves when none is left. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#lookAgain) clearTimeout(this.#lookAgain);
    await this.#services.queue.stopWork();
    this.#shutdown.abort();
    await Promise.all(this.#chores.values());
    await this.#filling;
    await Promise.all([...this.#executing.values()].map(({ done }) => done));
    this.#unsubscribe();
  }

  /** Takes over runs that nobody executes any more, ends those past their time, and takes what waits. */
  async sweep(): Promise<void> {
    const { leaderless, expired } = await findStrandedRuns(this.#services.database);
    for (const run of leaderless) if (this.#room > 0) await this.#each(run, () => this.#takeOver(run));
    for (const run of expired) {
      await this.#each(run, () => expireRun(systemContext(this.#services, run.workspaceId), run));
    }
    void this.#fill();
  }

  /** What goes wrong with one run keeps nobody from the next. */
  async #each({ id }: StrandedRun, work: () => Promise<void>): Promise<void> {
    await work().catch((error) => this.#services.log.error({ err: error, runId: id }, 'sweep'));
  }

  get #room(): number {
    return this.#shutdown.signal.aborted ? 0 : this.#concurrency - this.#executing.size;
  }

  /** Does a chore again and again; one that takes longer is not begun twice. */
  #every(ms: number, chore: () => Promise<void>): void {
    this.#timers.push(setInterval(() => void this.#chore(chore), ms).unref());
  }

  /** Does a chore, unless it is being done: then it resolves with that. */
  #chore(chore: () => Promise<void>): Promise<void> {
    const doing = this.#chores.get(chore);
    if (doing) return doing;
    const done = chore()
      .catch((error) => this.#services.log.error({ err: error }, 'sweep'))
      .finally(() => this.#chores.delete(chore));
    this.#chores.set(chore, done);
    return done;
  }

  /** A ring says that something is to be done; the rows say what. */
  async #onJob(job: RunJob): Promise<void> {
    if (job.isHandedBack && this.#room > 0) await this.#takeOver({ ...job, id: job.runId });
    void this.#fill();
  }

  /** Takes runs while there are some and there is room; a ring that comes meanwhile is answered after it. */
  #fill(): Promise<void> {
    if (this.#filling) this.#isRequested = true;
    else {
      this.#filling = this.#takeQueued()
        .catch((error) => this.#services.log.error({ err: error }, 'runs could not be claimed'))
        .finally(() => {
          this.#filling = null;
          this.#cancelled = new Set();
        });
    }
    return this.#filling as Promise<void>;
  }

  async #takeQueued(): Promise<void> {
    do {
      this.#isRequested = false;
      const asked = Math.min(this.#room, claimBatch);
      if (asked === 0) {
        this.#isMoreWaiting = true;
        return;
      }
      const { runs, isMoreWaiting } = await claimQueuedRuns(this.#services, asked);
      this.#isMoreWaiting = isMoreWaiting;
      for (const run of runs) this.#execute(run);
      if (runs.length === asked) this.#isRequested = true;
    } while (this.#isRequested);
    if (!this.#isMoreWaiting || this.#lookAgain || this.#shutdown.signal.aborted) return;
    this.#lookAgain = setTimeout(() => {
      this.#lookAgain = null;
      void this.#fill();
    }, this.#services.timing.run.claimRetryMs);
  }

  async #takeOver(stranded: Pick<StrandedRun, 'workspaceId' | 'threadId' | 'id'>): Promise<void> {
    if (this.#executing.has(stranded.id)) return;
    const ctx = systemContext(this.#services, stranded.workspaceId);
    const run = await takeOverRun(ctx, stranded.threadId, stranded.id);
    if (run) this.#execute(run);
  }

  #execute(run: Run): void {
    const stop = new AbortController();
    const cancel = () => stop.abort('cancelled');
    if (this.#cancelled.has(run.id)) cancel();
    const done = executeRun(this.#execution, run, stop)
      .catch((error) => this.#services.log.error({ err: error, runId: run.id }, 'execution'))
      .finally(() => {
        if (this.#executing.get(run.id)?.cancel === cancel) this.#executing.delete(run.id);
        if (this.#isMoreWaiting) void this.#fill();
      });
    this.#executing.set(run.id, { done, cancel });
  }

  #cancel(runId: string): void {
    if (this.#filling) this.#cancelled.add(runId);
    this.#executing.get(runId)?.cancel();
  }
}
