import { z } from 'zod';
import { cancelTopic } from '../../bus/bus.ts';
import {
  type Prisma,
  type Run,
  type RunIncompleteReason,
  type RunStatus,
  ToolKind,
} from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { inThreadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import type { RunFault } from '../error.ts';
import { ConflictError, NotFoundError } from '../error.ts';
import { absentOr, metadata, metadataHolds, parse, textUpTo } from '../input.ts';
import { runLimits, threadLimits } from '../limits.ts';
import { storable } from '../log/growing-text.ts';
import { changeThread, type ThreadChange } from '../log/thread-change.ts';
import { isTerminal, statusesBefore } from '../run-status.ts';
import { closeOpenStep, type StepOutcome } from './close-step.ts';
import { modelName } from './generation.ts';
import type { OpenStep } from './step.ts';
import { redactSteps } from './step-recording.ts';

/** How a run ends. */
export type RunEnd =
  | { status: 'COMPLETED' | 'CANCELLED' | 'EXPIRED' }
  | { status: 'INCOMPLETE'; reason: RunIncompleteReason }
  | { status: 'FAILED'; error: RunFault };

/** Optional details of the end of a run. */
export interface RunEnding {
  /** Overrides for the outcome of the open step. */
  step?: Partial<StepOutcome>;
  /** The final growing texts, by `textId`; absent: they are read from the deltas. */
  texts?: Map<string, string>;
  /** Columns of the run to update. */
  data?: Prisma.RunUncheckedUpdateManyInput;
  /** The open step; null: none is open; absent: it is read. */
  openStep?: OpenStep | null;
}

/** The outcome of the open step and its message, by the status in which the run ends. */
const stepOutcomes = {
  COMPLETED: { status: 'COMPLETED', incompleteReason: null },
  INCOMPLETE: { status: 'COMPLETED', incompleteReason: 'max_tokens' },
  CANCELLED: { status: 'CANCELLED', incompleteReason: 'run_cancelled' },
  EXPIRED: { status: 'EXPIRED', incompleteReason: 'run_expired' },
  FAILED: { status: 'FAILED', incompleteReason: 'run_failed' },
} as const satisfies Record<RunEnd['status'], StepOutcome>;

/** Why the open message is incomplete, by the reason of the run; the others are `max_tokens`. */
const messageReasons: Partial<Record<RunIncompleteReason, string>> = {
  CONTENT_FILTER: 'content_filter',
  ANSWER_TOO_LONG: 'answer_too_long',
};

/**
 * Enters a status and updates other columns, if the state machine allows it from the current status; logs the event.
 * The only writer of `Run.status` besides the insert and `claimQueuedRuns`. Returns false when the transition is not
 * allowed.
 */
export async function enterStatus(
  change: ThreadChange,
  run: { id: string },
  status: RunStatus,
  data: Prisma.RunUncheckedUpdateManyInput = {},
): Promise<boolean> {
  const { count } = await change.tx.run.updateMany({
    where: { id: run.id, status: { in: statusesBefore(status) } },
    data: { ...data, status },
  });
  if (count > 0) change.log({ type: 'RUN_STATUS_CHANGED', runId: run.id, value: status });
  return count > 0;
}

/**
 * Ends a run: closes its open step, enters the terminal status, and gives the thread to its next queued run.
 * A run that has ended does not change.
 */
export async function endRun(
  ctx: DomainContext,
  change: ThreadChange,
  run: Pick<Run, 'id' | 'number' | 'fence' | 'recordSteps'>,
  end: RunEnd,
  more: RunEnding = {},
): Promise<void> {
  // Messages of providers may contain characters that the database cannot store.
  const error = end.status === 'FAILED' ? { ...end.error, message: storable(end.error.message) } : null;
  const reason = end.status === 'INCOMPLETE' ? messageReasons[end.reason] : undefined;
  const outcome = { ...stepOutcomes[end.status], ...(reason && { incompleteReason: reason }), error, ...more.step };
  await closeOpenStep(change, run.id, outcome, more.texts, more.openStep);
  const entered = await enterStatus(change, run, end.status, {
    ...more.data,
    ...(await redactSteps(ctx, change, run)),
    endedAt: change.now,
    sealedUserTokens: null,
    leasedUntil: null,
    expiresAt: null,
    fence: run.fence + 1,
    incompleteReason: end.status === 'INCOMPLETE' ? end.reason : null,
    ...(error ? { errorCode: error.code, errorMessage: error.message, errorRetryable: error.retryable } : {}),
  });
  if (entered && change.thread.activeRunId === run.id) await startNext(ctx, change, run.number);
}

/** Gives the thread to its next queued run, if any. */
async function startNext(ctx: DomainContext, change: ThreadChange, after: number): Promise<void> {
  const where = { threadId: change.thread.id, status: 'QUEUED' as const, number: { gt: after } };
  const hasLater = change.thread.lastRun > after;
  const next = hasLater
    ? await change.tx.run.findFirst({ where, orderBy: { number: 'asc' }, select: { id: true } })
    : null;
  change.thread.activeRunId = next?.id ?? null;
  if (!next) return;
  change.pending.update('Run', next.id, { isHead: true });
  await notifyWorkers(ctx, change, next.id);
}

/** Notifies the workers, after the commit, of a run that can be claimed. */
export function notifyWorkers(ctx: DomainContext, change: ThreadChange, runId: string): Promise<void> {
  return ctx.queue.enqueueRun(change.tx, { workspaceId: ctx.workspaceId, threadId: change.thread.id, runId });
}

/** Reads a run. Throws NotFoundError unless the actor can see it. */
export async function findRun(ctx: DomainContext, id: string): Promise<Run> {
  const run = isId('Run', id) ? await ctx.db.run.findFirst({ where: { id, ...inThreadsVisibleTo(ctx.actor) } }) : null;
  if (!run) throw new NotFoundError(id);
  return run;
}

/** Replaces a run's metadata. */
export async function updateRun(ctx: DomainContext, input: unknown): Promise<Run> {
  requireScope(ctx, 'RUNS_WRITE');
  const { id, metadata: pairs } = parse(z.object({ id: z.string(), metadata }), input);
  await findRun(ctx, id);
  return ctx.db.run.update({
    where: { workspaceId_id: { workspaceId: ctx.workspaceId, id } },
    data: { metadata: pairs },
  });
}

/**
 * Cancels a run. A run that no worker executes is CANCELLED at once; otherwise it is CANCELLING until its worker has
 * stopped. Idempotent until the run has ended; then it throws ConflictError.
 */
export async function cancelRun(ctx: DomainContext, input: unknown): Promise<Run> {
  requireScope(ctx, 'RUNS_WRITE');
  const { id } = parse(z.object({ id: z.string() }), input);
  const { threadId } = await findRun(ctx, id);
  return changeThread(ctx, threadId, async (change) => {
    const run = await change.tx.run.findFirstOrThrow({ where: { id } });
    if (isTerminal(run.status)) throw new ConflictError(`The run has already ended: it is ${run.status}.`);
    await requestCancel(ctx, change, run);
    return change.tx.run.findFirstOrThrow({ where: { id } });
  });
}

/** Cancels a run that is not executed; otherwise enters CANCELLING and notifies the executor after the commit. */
export async function requestCancel(ctx: DomainContext, change: ThreadChange, run: Run): Promise<void> {
  if (run.status === 'IN_PROGRESS') await enterStatus(change, run, 'CANCELLING');
  else if (run.status !== 'CANCELLING') return endRun(ctx, change, run, { status: 'CANCELLED' });
  change.afterCommit(() => ctx.bus.publish(cancelTopic, { kind: 'cancel', runId: run.id }));
}

/**
 * Cancels all unfinished runs of the thread at once, without waiting for an executor: the higher fence keeps it from
 * writing, and it is notified to stop. For changes that remove the input of these runs.
 */
export async function cancelUnfinishedRuns(ctx: DomainContext, change: ThreadChange): Promise<void> {
  const runs = await change.tx.run.findMany({
    where: { threadId: change.thread.id, endedAt: null },
    orderBy: { number: 'desc' },
  });
  for (const run of runs) {
    if (run.status === 'IN_PROGRESS') await enterStatus(change, run, 'CANCELLING');
    await endRun(ctx, change, run, { status: 'CANCELLED' });
    change.afterCommit(() => ctx.bus.publish(cancelTopic, { kind: 'cancel', runId: run.id }));
  }
  // The statements that follow may read the messages that those runs were writing.
  await change.flush();
}

const filterInput = z.object({
  threadId: absentOr(z.string()),
  assistantId: absentOr(z.string()),
  status: absentOr(z.array(z.string())),
  model: absentOr(modelName),
  owner: absentOr(textUpTo(threadLimits.owner)),
  errorCode: absentOr(textUpTo(runLimits.errorCode)),
  toolKind: absentOr(z.enum(ToolKind)),
  metadata: absentOr(metadata),
  longerThanMs: absentOr(z.int().min(0, 'At least 0')),
  costAbove: absentOr(z.string()),
  createdAfter: absentOr(z.date()),
  createdBefore: absentOr(z.date()),
});

/** The `where` of a filter over runs. */
export function runsWhere(input: unknown): Prisma.RunWhereInput {
  const filter = parse(filterInput, input ?? {});
  const { threadId, assistantId, model, errorCode, status, owner, toolKind, metadata: pairs } = filter;
  const { longerThanMs, costAbove, createdAfter, createdBefore } = filter;
  return {
    threadId,
    assistantId,
    model,
    errorCode,
    status: status && { in: status as RunStatus[] },
    createdAt: { gt: createdAfter, lt: createdBefore },
    ...(owner === undefined ? {} : { thread: { owner } }),
    ...(toolKind === undefined ? {} : { steps: { some: { toolCalls: { some: { kind: toolKind } } } } }),
    ...(longerThanMs === undefined ? {} : { durationMs: { gt: longerThanMs } }),
    ...(costAbove === undefined ? {} : { knownCost: { gt: costAbove } }),
    ...(pairs ? { AND: metadataHolds(pairs) } : {}),
  };
}
