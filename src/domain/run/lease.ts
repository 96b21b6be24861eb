import type { Database } from '../../db/client.ts';
import type { Run, RunStatus } from '../../db/generated/client.ts';
import { isUnavailable } from '../../db/unavailable.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { runLimits } from '../limits.ts';
import { changeThread, type LockedRun, type ThreadChange } from '../log/thread-change.ts';
import { executing, isExecuting } from '../run-status.ts';
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
export type ClaimedRun = Run;

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
      return takeOver(ctx, change, run);
    });
  } catch (error) {
    if (error instanceof NotFoundError) return null;
    throw error;
  }
}

async function takeOver(ctx: DomainContext, change: ThreadChange, run: Run): Promise<ClaimedRun | null> {
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

/** Renews the lease. Returns the status of the run, or null when the lease is lost. */
export async function renewLease(ctx: DomainContext, run: ClaimedRun): Promise<RunStatus | null> {
  const [renewed] = await ctx.db.run.updateManyAndReturn({
    where: { id: run.id, fence: run.fence, status: { in: [...executing] } },
    data: { leasedUntil: new Date(Date.now() + ctx.timing.run.leaseMs) },
    select: { status: true },
  });
  return renewed?.status ?? null;
}

/**
 * Changes the thread of a claimed run, as its executor; `data`: columns of the run to update with the change. While the
 * database is unavailable it waits and repeats the change, so that `change` may be called again after all its effects in the
 * database were lost. Throws LeaseLostError when this worker does not execute the run any more.
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
  return withPatience(ctx, () => changeThread(ctx, run.threadId, work, { run })).catch((error) => {
    throw error instanceof NotFoundError ? new LeaseLostError(run.id) : error;
  });
}

/**
 * Repeats `work` while it fails because the database is unavailable. `work` must have no effect that a repetition doubles. Run
 * execution waits for as long as it takes: when the database is back, the fence says whether the run is still its own.
 */
export async function withPatience<T>({ availability }: DomainContext, work: () => Promise<T>): Promise<T> {
  for (let failed = 1; ; failed += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
    await availability.untilBack(failed);
  }
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
  const handBack = () =>
    ctx.db.$transaction(async (tx) => {
      const { count } = await tx.run.updateMany({
        where: { id: run.id, fence: run.fence, status: { in: [...executing] } },
        data: { leasedUntil: null, fence: run.fence + 1 },
      });
      if (count === 0) return;
      await ctx.queue.enqueueRun(tx, {
        workspaceId: ctx.workspaceId,
        threadId: run.threadId,
        runId: run.id,
        isHandedBack: true,
      });
    });
  // The fence makes a repetition without effect if the first try was committed.
  await withPatience(ctx, handBack);
}

/** A run that the sweep must take over or expire. */
export interface StrandedRun {
  workspaceId: string;
  threadId: string;
  id: string;
}

/**
 * Up to 100 runs whose lease ran out, and up to 100 parked runs past their expiry. Reads over all workspaces, as the
 * sweep does.
 */
export async function findStrandedRuns(
  database: Database,
): Promise<{ leaderless: StrandedRun[]; expired: StrandedRun[] }> {
  const now = new Date();
  const select = { workspaceId: true, threadId: true, id: true };
  const leaderless = await database.run.findMany({
    where: { status: { in: [...executing] }, OR: [{ leasedUntil: { lt: now } }, { leasedUntil: null }] },
    orderBy: { createdAt: 'asc' },
    select,
    take: 100,
  });
  const expired = await database.run.findMany({
    where: { status: 'REQUIRES_ACTION', endedAt: null, expiresAt: { lt: now } },
    select,
    take: 100,
  });
  return { leaderless, expired };
}

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
