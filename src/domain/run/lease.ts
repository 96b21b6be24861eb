import type { Database } from '../../db/client.ts';
import type { Run, RunStatus } from '../../db/generated/client.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { changeThread, type LockedRun, type ThreadChange } from '../log/thread-change.ts';
import { executing, isExecuting } from '../run-status.ts';
import { closeOpenStep } from './close-step.ts';
import { endRun, type RunEnd, type RunEnding } from './run.ts';
import { findOpenStep } from './step.ts';

/** The run is executed by somebody else now, or has been ended from outside: whoever gets this stops at once. */
export class LeaseLostError extends Error {
  constructor(runId: string) {
    super(`The lease of ${runId} has passed on.`);
  }
}

/** A run in the hands of a worker: every write names the fence under which it was claimed. */
export type ClaimedRun = Run;

/** A run over which so many workers have died is not given to another. */
const maxLosses = 3;

/**
 * Takes over a run whose worker is gone. Returns null when there is nothing to do: it has ended, waits for its client, or is
 * in the hands of a living worker. It goes on with a higher `attempt`; what that worker had open is closed as incomplete.
 * A run that was handed back is no loss; one over which three workers have died ends FAILED, and lets its thread go on.
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
  const error = { code: 'worker_lost', message: 'The worker stopped while it was at this step.', retryable: true };
  const step = { status: 'FAILED', incompleteReason: 'worker_lost', error } as const;
  if (losses >= maxLosses) {
    const message = `${losses} workers stopped while they were at this run: it is not tried again.`;
    const end = { status: 'FAILED', error: { code: 'worker_lost', message, retryable: false } } as const;
    await endRun(ctx, change, run, end, { step, data: { losses } });
    return null;
  }
  // Calls that were begun are seen to by the next worker: their arguments are complete, and some have answered.
  const open = await findOpenStep(change, run.id);
  const isBegun = open?.toolCalls.some(({ startedAt }) => startedAt !== null) === true;
  if (!isBegun) await closeOpenStep(change, run.id, step, undefined, open);
  const leasedUntil = new Date(change.now.getTime() + ctx.timing.run.leaseMs);
  const data = { fence: run.fence + 1, leasedUntil, losses, attempt: run.attempt + 1 };
  await change.tx.run.updateMany({ where: { id: run.id }, data });
  return change.tx.run.findFirst({ where: { id: run.id } });
}

/** Keeps the run for another while. Returns its status, or null when the lease is lost. */
export async function renewLease(ctx: DomainContext, run: ClaimedRun): Promise<RunStatus | null> {
  const [renewed] = await ctx.db.run.updateManyAndReturn({
    where: { id: run.id, fence: run.fence, status: { in: [...executing] } },
    data: { leasedUntil: new Date(Date.now() + ctx.timing.run.leaseMs) },
    select: { status: true },
  });
  return renewed?.status ?? null;
}

/**
 * Changes the thread on behalf of a claimed run; `data` is written into its row on the way. Throws LeaseLostError when
 * the run is no longer this worker's.
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

/** Ends a claimed run; one that somebody asked to cancel ends CANCELLED, whatever its worker had come to. */
export function finishRun(ctx: DomainContext, run: ClaimedRun, end: RunEnd, more: RunEnding = {}): Promise<void> {
  return changeRun(ctx, run, async (change, current) => {
    const isCancelled = current.status === 'CANCELLING' && end.status !== 'CANCELLED';
    if (!isCancelled) return endRun(ctx, change, current, end, more);
    const { texts, data, openStep } = more;
    return endRun(ctx, change, current, { status: 'CANCELLED' }, { texts, data, openStep });
  });
}

/** Gives a run back that its worker cannot go on with: the next worker takes it over at once. */
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
      isHandedBack: true,
    });
  });
}

/** A run that needs somebody's hand, of whatever workspace. */
export interface StrandedRun {
  workspaceId: string;
  threadId: string;
  id: string;
}

/** Runs whose worker has gone silent, and runs past their time. Looks over all workspaces: the sweep serves them all. */
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

/** Ends a run that waited for its client longer than the workspace allows. */
export async function expireRun(ctx: DomainContext, stranded: StrandedRun): Promise<void> {
  await changeThread(ctx, stranded.threadId, async (change) => {
    const run = await change.tx.run.findFirst({ where: { id: stranded.id, status: 'REQUIRES_ACTION' } });
    if (run?.expiresAt && run.expiresAt <= change.now) await endRun(ctx, change, run, { status: 'EXPIRED' });
  });
}

/**
 * For the embedded database, which only this process can have open: whatever is leased at the start belongs to
 * a process that is gone, so its runs need not wait for their leases to run out.
 */
export async function releaseAllLeases(database: Database): Promise<void> {
  await database.run.updateMany({ where: { leasedUntil: { not: null } }, data: { leasedUntil: new Date(0) } });
}
