import type { Database } from '../../db/client.ts';
import { Prisma, type Run, type RunStatus } from '../../db/generated/client.ts';
import type { DomainContext, Services } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { runLimits } from '../limits.ts';
import { changeThread, type LockedRun, type ThreadChange } from '../log/thread-change.ts';
import { executing, executingSql, isExecuting } from '../run-status.ts';
import { closeOpenStep } from './close-step.ts';
import { endRun, type RunEnd, type RunEnding } from './run.ts';
import { findOpenStep } from './step.ts';

/**
 * Another worker executes the run now, or it was ended from outside. The worker that gets this error must stop at once.
 */
export class LeaseLostError extends Error {
  constructor(runId: string) {
    super(`The lease of ${runId} is lost.`);
  }
}

/** A run that this worker executes. Every write names the fence under which it was claimed. */
export type ClaimedRun = Run & {
  /** When it was claimed, by the clock of the database. */
  claimedAt: Date;
};

/**
 * Takes over a run whose lease has run out or was given up, with a higher `attempt`. Closes the open step of the former
 * worker as incomplete, unless some of its tool calls were started. Returns null when there is nothing to execute: the
 * run has ended, waits for its client, or has a valid lease. A run that was handed back counts as no loss; after the
 * third loss the run ends FAILED, and its thread continues with the next run.
 */
export async function takeOverRun(ctx: DomainContext, threadId: string, runId: string): Promise<ClaimedRun | null> {
  try {
    return await changeThread(ctx, threadId, async (change) => {
      const run = await change.tx.run.findFirst({ where: { id: runId } });
      const isExecuted = run && isExecuting(run.status) && change.thread.activeRunId === runId;
      if (!isExecuted || (run.leasedUntil && run.leasedUntil > change.now)) return null;
      const taken = await takeOver(ctx, change, run);
      return taken && { ...taken, claimedAt: change.now };
    });
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}

async function takeOver(ctx: DomainContext, change: ThreadChange, run: Run): Promise<Run | null> {
  if (run.status === 'CANCELLING') {
    await endRun(ctx, change, run, { status: 'CANCELLED' });
    return null;
  }
  const losses = run.losses + (run.leasedUntil === null ? 0 : 1);
  const error = { code: 'worker_lost', message: 'The worker was lost while it executed this step.', retryable: true };
  const step = { status: 'FAILED', incompleteReason: 'worker_lost', error } as const;
  if (losses >= runLimits.lostWorkers) {
    const message = `${losses} workers were lost while they executed this run. It is not retried.`;
    const end = { status: 'FAILED', error: { code: 'worker_lost', message, retryable: false } } as const;
    await endRun(ctx, change, run, end, { step, data: { losses } });
    return null;
  }
  // A step with started calls stays open for the next worker: its arguments are complete, and some calls may have
  // ended.
  const open = await findOpenStep(change, run.id);
  const hasStartedCalls = open?.toolCalls.some(({ startedAt }) => startedAt !== null) === true;
  if (!hasStartedCalls) await closeOpenStep(change, run.id, step, undefined, open);
  const leasedUntil = new Date(change.now.getTime() + ctx.timing.run.leaseMs);
  const data = { fence: run.fence + 1, leasedUntil, losses, attempt: run.attempt + 1 };
  await change.tx.run.updateMany({ where: { id: run.id }, data });
  return change.tx.run.findFirst({ where: { id: run.id } });
}

/**
 * Renews the leases of runs that this worker executes, with one statement. Returns the status of each run by its ID; a run
 * whose lease is lost is missing. Reads over all workspaces, as a worker does.
 */
export async function renewLeases(
  { database, timing }: Pick<Services, 'database' | 'timing'>,
  runs: ReadonlyArray<Pick<ClaimedRun, 'workspaceId' | 'id' | 'fence'>>,
): Promise<Map<string, RunStatus>> {
  const held = JSON.stringify(runs.map(({ workspaceId, id, fence }) => ({ workspaceId, id, fence })));
  const renewed = await database.$queryRaw<Array<{ id: string; status: RunStatus }>>`
    UPDATE "Run" r SET "leasedUntil" = clock_timestamp() + ${timing.run.leaseMs}::int * interval '1 millisecond'
    FROM jsonb_to_recordset(${held}::jsonb) AS h ("workspaceId" text, "id" text, "fence" int)
    WHERE r."workspaceId" = h."workspaceId" AND r."id" = h."id" AND r."fence" = h."fence" AND r."status" IN ${executingSql}
    RETURNING r."id", r."status"`;
  return new Map(renewed.map(({ id, status }) => [id, status]));
}

/**
 * Changes the thread of a claimed run, as its executor; `data`: columns of the run to update with the change.
 * Throws LeaseLostError when this worker does not execute the run any more.
 */
export function changeRun<T>(
  ctx: DomainContext,
  run: ClaimedRun,
  change: (change: ThreadChange, now: LockedRun) => Promise<T>,
  data?: { firstTokenAt: Date },
): Promise<T> {
  const work = (threadChange: ThreadChange, current: LockedRun | null) => {
    if (data) threadChange.pending.update('Run', run.id, data);
    return change(threadChange, current as LockedRun);
  };
  return changeThread(ctx, run.threadId, work, { run }).catch((error) => {
    throw error instanceof NotFoundError ? new LeaseLostError(run.id) : error;
  });
}

/** Ends a claimed run. A run in CANCELLING ends CANCELLED, regardless of `end`. */
export function finishRun(ctx: DomainContext, run: ClaimedRun, end: RunEnd, more: RunEnding = {}): Promise<void> {
  return changeRun(ctx, run, async (change, current) => {
    const isCancelled = current.status === 'CANCELLING' && end.status !== 'CANCELLED';
    if (!isCancelled) return endRun(ctx, change, current, end, more);
    const { texts, data, openStep } = more;
    return endRun(ctx, change, current, { status: 'CANCELLED' }, { texts, data, openStep });
  });
}

/** Hands back a run that this worker cannot continue. The next worker takes it over at once. */
export async function handBackRun(ctx: DomainContext, run: ClaimedRun): Promise<void> {
  await ctx.db.$transaction(async (tx) => {
    const { count } = await tx.run.updateMany({
      where: { id: run.id, fence: run.fence, status: { in: [...executing] } },
      data: { leasedUntil: null, fence: run.fence + 1 },
    });
    if (count === 0) return;
    await ctx.queue.enqueueRun(tx, {
      workspaceId: ctx.workspaceId,
      threadId: run.threadId,
      runId: run.id,
      handedBackFor: run.slotOwner,
    });
  });
}

/** A run that the sweep must take over or expire. */
export interface StrandedRun {
  workspaceId: string;
  threadId: string;
  id: string;
}

/** The number of runs that one sweep takes over, and that it expires. */
const sweepBatch = 100;

/**
 * Up to 100 runs whose lease ran out, and up to 100 parked runs past their expiry, by the clock of the database. Of the
 * runs of each end user the oldest come first, so that those of one user do not hide those of others. Reads over all
 * workspaces, as the sweep does.
 */
export async function findStrandedRuns(
  database: Database,
): Promise<{ leaderless: Array<StrandedRun & { slotOwner: string }>; expired: StrandedRun[] }> {
  const leaderless = await database.$queryRaw<Array<StrandedRun & { slotOwner: string }>>`${leaderlessSql}`;
  const expired = await database.$queryRaw<StrandedRun[]>`${expiredSql}`;
  return { leaderless, expired };
}

/** What the sweep looks for. The conditions are constants, which the planner can compare with the partial indexes. */
export const leaderlessSql = Prisma.sql`
  SELECT r."workspaceId", r."threadId", r."id", r."slotOwner" FROM "Run" r
  WHERE r."status" IN ${executingSql} AND (r."leasedUntil" < now() OR r."leasedUntil" IS NULL)
  ORDER BY row_number() OVER (PARTITION BY r."workspaceId", r."slotOwner" ORDER BY r."createdAt"), r."createdAt"
  LIMIT ${sweepBatch}::int`;
export const expiredSql = Prisma.sql`
  SELECT r."workspaceId", r."threadId", r."id" FROM "Run" r
  WHERE r."expiresAt" < now() AND r."status" = 'REQUIRES_ACTION' AND r."endedAt" IS NULL LIMIT ${sweepBatch}::int`;

/** Ends a parked run past its expiry as EXPIRED. */
export async function expireRun(ctx: DomainContext, stranded: StrandedRun): Promise<void> {
  await changeThread(ctx, stranded.threadId, async (change) => {
    const run = await change.tx.run.findFirst({ where: { id: stranded.id, status: 'REQUIRES_ACTION' } });
    if (run?.expiresAt && run.expiresAt <= change.now) await endRun(ctx, change, run, { status: 'EXPIRED' });
  });
}

/**
 * Ends all leases. For the start of a server with the embedded database, which one process at a time can open: every
 * lease belongs to a process that has ended, so its runs can be taken over at once.
 */
export async function releaseAllLeases(database: Database): Promise<void> {
  await database.run.updateMany({ where: { leasedUntil: { not: null } }, data: { leasedUntil: new Date(0) } });
}
