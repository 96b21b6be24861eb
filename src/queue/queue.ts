import type { Transaction } from '../db/client.ts';

/** Announces that a run needs a worker. The run's row says why. */
export interface RunJob {
  workspaceId: string;
  threadId: string;
  runId: string;
  /**
   * Its worker handed it back before its end: the worker that receives the job takes the run over, if the share of this
   * end user ('': of the workspace) allows it.
   */
  handedBackFor?: string;
}

/**
 * Wakes up workers. A job commits together with the row that it announces, and is delivered at least once, to one worker. The
 * worker reads the row first, so a repeated job has no effect.
 */
export interface Queue {
  /** Announces a run when `tx` commits; a rolled-back transaction leaves no job. */
  enqueueRun(tx: Transaction, job: RunJob): Promise<void>;
  /** Announces files that wait for ingestion when `tx` commits. */
  enqueueIngestion(tx: Transaction): Promise<void>;
  /** Calls `handle` when files wait for ingestion, one call at a time. An error of `handle` is only logged. */
  workIngestion(handle: () => Promise<void>): Promise<void>;
  /** Passes jobs to `handle` one after the other. An error of `handle` is only logged. */
  work(handle: (job: RunJob) => Promise<void>): Promise<void>;
  /** Stops taking jobs; the remaining ones are left to other workers. */
  stopWork(): Promise<void>;
  /** Throws if the storage of the queue does not respond. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
