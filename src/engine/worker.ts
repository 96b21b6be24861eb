import type { Services } from '../domain/context.ts';
import { deleteAbandonedBytes, deleteUnusedBlobs } from '../domain/file/blob.ts';
import { purgeDeletedWorkspaces } from '../domain/retention/deleted-workspaces.ts';
import { deleteExpiredThreads } from '../domain/retention/expired-threads.ts';
import { deleteUnrecordedSteps } from '../domain/run/step-recording.ts';
import { Chores } from './chores.ts';
import { IngestWorker } from './ingest-worker.ts';
import { RunWorker, type RunWorkerOptions } from './run-worker.ts';

/** The background work of a process: runs, ingestion, retention. */
export class Worker {
  readonly #services: Services;
  readonly #shutdown = new AbortController();
  readonly #chores: Chores;
  readonly #runs: RunWorker;
  readonly #ingestion: IngestWorker;

  constructor(services: Services, options: RunWorkerOptions) {
    this.#services = services;
    this.#chores = new Chores(services.log);
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
    this.#every(chore.tidyMs, 'blob deletion', deleteUnusedBlobs);
    this.#every(chore.retentionMs, 'staged bytes deletion', deleteAbandonedBytes);
    this.#every(chore.tidyMs, 'step deletion', deleteUnrecordedSteps);
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
