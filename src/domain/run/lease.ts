import type { Database } from '../../db/client.ts';
import { Prisma, type Run, type RunStatus } from '../../db/generated/client.ts';
import { isUnavailable } from '../../db/unavailable.ts';
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

/** Whether a worker may execute a suspect now: a run that has lost a worker. */
export type Admission = (runId: string) => boolean;

/**
 * Takes over a run whose lease has run out or was given up, with a higher `attempt`. Closes the open step of the former
 * worker as incomplete, unless some of its tool calls were started. Returns null when there is nothing to execute: the
 * run has ended, waits for its client, has a valid lease, or is a suspect that `admits` refuses. A run that was handed back
 * counts as no loss; after the second loss the run ends FAILED, and its thread continues with the next run.
 *
 * The loss and the new lease are committed before the texts of the run are read: reading them may be what ends a worker.
 */
export async function takeOverRun(
  ctx: DomainContext,
  threadId: string,
  runId: string,
  admits: Admission = () => true,
): Promise<ClaimedRun | null> {
  try {
    await countLoss(ctx, threadId, runId);
    const run = await changeThread(ctx, threadId, async (change) => {
      const found = await findLeaderless(change, runId);
      const taken = found && (await takeLease(ctx, change, found, admits));
      return taken && { ...taken, claimedAt: change.now };
    });
    if (run) await closeLostStep(ctx, run);
    return run;
  } catch (error) {
    if (error instanceof NotFoundError || error instanceof LeaseLostError) return null;
    throw error;
  }
}

/** The run, if it is the active run of its thread and executed by no worker. */
async function findLeaderless(change: ThreadChange, runId: string): Promise<Run | null> {
  const run = await change.tx.run.findFirst({ where: { id: runId } });
  const isExecuted = run && isExecuting(run.status) && change.thread.activeRunId === runId;
  return isExecuted && !(run.leasedUntil && run.leasedUntil > change.now) ? run : null;
}

/** Counts the loss of a worker that did not hand the run back. From then on the run waits for a worker without a lease. */
async function countLoss(ctx: DomainContext, threadId: string, runId: string): Promise<void> {
  await changeThread(ctx, threadId, async (change) => {
    const run = await findLeaderless(change, runId);
    if (run?.leasedUntil == null) return;
    const data = { losses: run.losses + 1, leasedUntil: null, fence: run.fence + 1 };
    await change.tx.run.updateMany({ where: { id: runId }, data });
  });
}

const lostFault = { code: 'worker_lost', message: 'The worker was lost while it executed this step.', retryable: true };
const lostStep = { status: 'FAILED', incompleteReason: 'worker_lost', error: lostFault } as const;

async function takeLease(ctx: DomainContext, change: ThreadChange, run: Run, admits: Admission): Promise<Run | null> {
  if (run.status === 'CANCELLING') {
    await endRun(ctx, change, run, { status: 'CANCELLED' });
    return null;
  }
  if (run.losses >= runLimits.lostWorkers) {
    const message = `${run.losses} workers were lost while they executed this run. It is not retried.`;
    const end = { status: 'FAILED', error: { code: 'worker_lost', message, retryable: false } } as const;
    await endRun(ctx, change, run, end, { step: lostStep });
    return null;
  }
  if (run.losses > 0 && !admits(run.id)) return null;
  const leasedUntil = new Date(change.now.getTime() + ctx.timing.run.leaseMs);
  const data = { fence: run.fence + 1, leasedUntil, attempt: run.attempt + 1 };
  await change.tx.run.updateMany({ where: { id: run.id }, data });
  return change.tx.run.findFirst({ where: { id: run.id } });
}

/**
 * Closes the step of the former worker. A step with started calls stays open for the next worker: its arguments are
 * complete, and some calls may have ended.
 */
async function closeLostStep(ctx: DomainContext, run: ClaimedRun): Promise<void> {
  const close = async (change: ThreadChange) => {
    const open = await findOpenStep(change, run.id);
    const hasStartedCalls = open?.toolCalls.some(({ startedAt }) => startedAt !== null) === true;
    if (!hasStartedCalls) await closeOpenStep(change, run.id, lostStep, undefined, open);
  };
  try {
    await changeRun(ctx, run, close);
  } catch (error) {
    // An error is no loss of a worker: the next sweep takes the run over again.
    const { id, fence } = run;
    await ctx.db.run.updateMany({ where: { id, fence }, data: { leasedUntil: null, fence: fence + 1 } });
    throw error;
  }
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
 * Changes the thread of a claimed run, as its executor; `isAnswer`: the model has begun to answer. While the
 * database is unavailable it waits and repeats the change, so that `change` may be called again after all its effects in the
 * database were lost. Throws LeaseLostError when this worker does not execute the run any more.
 */
export function changeRun<T>(
  ctx: DomainContext,
  run: ClaimedRun,
  change: (change: ThreadChange, now: LockedRun) => Promise<T>,
  { isAnswer = false }: { isAnswer?: boolean } = {},
): Promise<T> {
  const work = (threadChange: ThreadChange, current: LockedRun | null) => {
    const now = current as LockedRun;
    if (isAnswer && now.firstTokenAt === null) {
      threadChange.pending.update('Run', run.id, { firstTokenAt: threadChange.now });
    }
    return change(threadChange, now);
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
        handedBackFor: run.slotOwner,
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

/** A run without a worker. */
interface LeaderlessRun extends StrandedRun {
  slotOwner: string;
  losses: number;
  /** null: it was handed back, or its loss is counted. */
  leasedUntil: Date | null;
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
): Promise<{ leaderless: LeaderlessRun[]; expired: StrandedRun[] }> {
  const leaderless = await database.$queryRaw<LeaderlessRun[]>`${leaderlessSql}`;
  const expired = await database.$queryRaw<StrandedRun[]>`${expiredSql}`;
  return { leaderless, expired };
}

/** What the sweep looks for. The conditions are constants, which the planner can compare with the partial indexes. */
export const leaderlessSql = Prisma.sql`
  SELECT r."workspaceId", r."threadId", r."id", r."slotOwner", r."losses", r."leasedUntil" FROM "Run" r
  WHERE r."status" IN ${executingSql} AND (r."leasedUntil" < now() OR r."leasedUntil" IS NULL)
  ORDER BY r."losses", row_number() OVER (PARTITION BY r."workspaceId", r."slotOwner" ORDER BY r."losses", r."createdAt"), r."createdAt"
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
