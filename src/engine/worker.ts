import type { Services } from '../domain/context.ts';
import { deleteAbandonedBytes, deleteUnusedBlobs } from '../domain/file/blob.ts';
import { purgeDeletedThreads } from '../domain/retention/deleted-threads.ts';
import { purgeDeletedWorkspaces } from '../domain/retention/deleted-workspaces.ts';
import { deleteExpiredThreads } from '../domain/retention/expired-threads.ts';
import { deleteUnrecordedSteps } from '../domain/run/step-recording.ts';
import { Chores } from './chores.ts';
import { IngestWorker } from './ingest-worker.ts';
import { RunWorker, type RunWorkerOptions } from './run-worker.ts';

/** How a worker is started. */
interface WorkerOptions extends RunWorkerOptions {
  /** Vacuums the database, stopping when the function returns false; null: the database does that on its own. */
  vacuum: ((isIdle: () => boolean) => Promise<void>) | null;
}

/** The background work of a process: runs, ingestion, retention. */
export class Worker {
  readonly #services: Services;
  readonly #shutdown = new AbortController();
  readonly #chores: Chores;
  readonly #runs: RunWorker;
  readonly #vacuum: WorkerOptions['vacuum'];
  readonly #ingestion: IngestWorker;

  constructor(services: Services, options: WorkerOptions) {
    this.#services = services;
    this.#vacuum = options.vacuum;
    this.#chores = new Chores(services);
    this.#runs = new RunWorker(services, options, this.#shutdown.signal);
    this.#ingestion = new IngestWorker(services, this.#chores, this.#shutdown.signal);
  }

  async start(): Promise<void> {
    const { run, chore } = this.#services.timing;
    await this.#runs.start();
    await this.#ingestion.start();
    await this.#runs.sweep();
    this.#chores.every(run.sweepMs, 'run sweep', () => this.#runs.sweep());
    this.#every(run.sweepMs, 'workspace purge', purgeDeletedWorkspaces);
    this.#every(run.sweepMs, 'thread purge', purgeDeletedThreads);
    this.#every(chore.tidyMs, 'blob deletion', deleteUnusedBlobs);
    this.#every(chore.retentionMs, 'staged bytes deletion', deleteAbandonedBytes);
    this.#every(chore.tidyMs, 'step deletion', deleteUnrecordedSteps);
    const vacuum = this.#vacuum;
    if (vacuum) this.#chores.every(chore.vacuumMs, 'vacuum', () => vacuum(() => this.#runs.isIdle));
    this.#every(chore.retentionMs, 'thread expiry', deleteExpiredThreads);
  }

  /** Stops all work: hands back the runs that it executes, and resolves when nothing is under way. */
  async stop(): Promise<void> {
    await this.#services.queue.stopWork();
    this.#shutdown.abort();
    await this.#chores.stop();
    await this.#runs.stop();
  }

  #every(everyMs: number, name: string, work: (services: Services, signal: AbortSignal) => Promise<void>): void {
    this.#chores.every(everyMs, name, () => work(this.#services, this.#shutdown.signal));
  }
}
