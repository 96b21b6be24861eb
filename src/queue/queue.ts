import type { Transaction } from '../db/client.ts';

/** "There is something to do for this run": the run's row says what. */
export interface RunJob {
  workspaceId: string;
  threadId: string;
  runId: string;
  /** Its worker gave it back in the middle: whoever answers takes it over. */
  isHandedBack?: boolean;
}

/**
 * The doorbell. A job commits with the row it is about and arrives at least once, at some worker; whoever answers reads
 * the row first, so a repeated ring does no harm.
 */
export interface Queue {
  /** Rings for the run when `tx` commits; a rolled-back transaction leaves no job. */
  enqueueRun(tx: Transaction, job: RunJob): Promise<void>;
  /** Rings for files that wait to be made searchable, when `tx` commits. */
  enqueueIngestion(tx: Transaction): Promise<void>;
  /** Calls `handle` when a file waits; one call at a time. */
  workIngestion(handle: () => Promise<void>): Promise<void>;
  /** Hands each job to `handle`, which returns when it can take the next; throwing only logs. */
  work(handle: (job: RunJob) => Promise<void>): Promise<void>;
  /** Stops taking jobs; those not taken stay for other workers. */
  stopWork(): Promise<void>;
  /** Whether the queue's storage answers. Throws when it does not. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
