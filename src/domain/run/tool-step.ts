import type { Prisma, ToolCall } from '../../db/generated/client.ts';
import type { CallResult } from '../../tools/tool.ts';
import type { DomainContext } from '../context.ts';
import { storable } from '../log/growing-text.ts';
import type { LockedRun, ThreadChange } from '../log/thread-change.ts';
import { closeOpenStep } from './close-step.ts';
import { type ClaimedRun, changeRun } from './lease.ts';
import { endRun, enterStatus } from './run.ts';
import type { Usage } from './usage.ts';

/** A call whose arguments are complete. */
export interface CheckedCall {
  id: string;
  arguments: string;
  /** Why the call is invalid: its output for the model instead of a result; null: the call is valid. */
  error: string | null;
  /** Whether the server makes the call; otherwise the client does. */
  isServers: boolean;
}

/** What the executor does next: make calls, stop because the run is parked or has ended, or call the model again. */
export type NextAction = 'make' | 'wait' | 'go on';

/** The usage of the model for a step, and the run's columns with the totals so far. */
interface ModelPart {
  used: Usage & { cost: string | null };
  totals: Prisma.RunUncheckedUpdateManyInput;
}

/**
 * Stores the calls of a step when the model has completed their arguments. Invalid calls get their error as output. The
 * first `atOnce` calls that the server makes are marked as started. `surplusCalls`: the calls of the answer that are not made.
 */
export function storeCalls(
  ctx: DomainContext,
  run: ClaimedRun,
  { calls, surplusCalls }: { calls: CheckedCall[]; surplusCalls: number },
  { used, totals }: ModelPart,
  atOnce: number,
): Promise<NextAction> {
  return changeRun(ctx, run, async (change, current) => {
    if (current.status === 'CANCELLING') return endCancelled(ctx, change, current, totals);
    const toMake = calls.filter(({ error, isServers }) => isServers && error === null);
    const started = new Set(toMake.slice(0, atOnce).map(({ id }) => id));
    for (const { id, arguments: text, error } of calls) {
      change.pending.update('ToolCall', id, {
        arguments: storable(text),
        ...(started.has(id) ? { startedAt: change.now } : {}),
        ...(error === null ? {} : rejectedColumns(storable(error), change.now)),
      });
    }
    await change.flush();
    await change.tx.step.updateMany({
      where: { runId: run.id, status: 'IN_PROGRESS' },
      data: { ...used, surplusCalls },
    });
    if (toMake.length === 0) return continueOrWait(change, current, totals);
    await change.tx.run.updateMany({ where: { id: run.id }, data: totals });
    return 'make';
  });
}

const rejectedColumns = (error: string, now: Date) =>
  ({
    status: 'FAILED',
    output: error,
    errorCode: 'invalid_tool_call',
    errorMessage: error,
    errorRetryable: true,
    endedAt: now,
  }) as const;

/**
 * Continues after the server has made its calls of a step: parks the run when calls are left for its client, else ends
 * the step.
 */
export function finishCalls(ctx: DomainContext, run: ClaimedRun): Promise<NextAction> {
  return changeRun(ctx, run, async (change, current) =>
    current.status === 'CANCELLING' ? endCancelled(ctx, change, current, {}) : continueOrWait(change, current, {}),
  );
}

async function endCancelled(
  ctx: DomainContext,
  change: ThreadChange,
  current: LockedRun,
  data: Prisma.RunUncheckedUpdateManyInput,
): Promise<NextAction> {
  await endRun(ctx, change, current, { status: 'CANCELLED' }, { data });
  return 'wait';
}

/**
 * Ends the step when no call is open; otherwise parks the run until its client submits outputs, or until `expiresAt`.
 */
async function continueOrWait(
  change: ThreadChange,
  current: LockedRun,
  totals: Prisma.RunUncheckedUpdateManyInput,
): Promise<NextAction> {
  const open = await change.tx.toolCall.count({ where: { step: { runId: current.id }, status: 'IN_PROGRESS' } });
  if (open === 0) {
    await closeOpenStep(change, current.id, { status: 'COMPLETED', incompleteReason: null });
    if (Object.keys(totals).length > 0) await change.tx.run.updateMany({ where: { id: current.id }, data: totals });
    return 'go on';
  }
  const select = { runExpirySeconds: true, maxRunSeconds: true } as const;
  const workspace = await change.tx.workspace.findFirstOrThrow({ where: {}, select });
  const waitEnd = change.now.getTime() + workspace.runExpirySeconds * 1000;
  const runEnd = (current.startedAt ?? change.now).getTime() + workspace.maxRunSeconds * 1000;
  await enterStatus(change, current, 'REQUIRES_ACTION', {
    ...totals,
    leasedUntil: null,
    expiresAt: new Date(Math.min(waitEnd, runEnd)),
  });
  return 'wait';
}

/** Marks a call as started. After a crash it is unknown whether a started call had its effect. */
export async function beginCall(ctx: DomainContext, run: ClaimedRun, id: string): Promise<void> {
  await changeRun(ctx, run, async (change) => {
    await change.tx.toolCall.updateMany({ where: { id }, data: { startedAt: change.now } });
  });
}

/** The result of a call that the server made. */
export interface CallEnd extends CallResult {
  /** Everything that the call wrote: its result for the model. */
  output: string;
}

/** Stores the result of a call. A call with a result is never made again. */
export async function endCall(ctx: DomainContext, run: ClaimedRun, id: string, end: CallEnd): Promise<void> {
  const { output, error, httpStatus, searchResults = [] } = end;
  const failed = error && {
    errorCode: error.code,
    errorMessage: storable(error.message),
    errorRetryable: error.retryable,
  };
  await changeRun(ctx, run, async (change) => {
    await change.tx.toolCall.updateMany({
      where: { id, status: 'IN_PROGRESS' },
      data: { output, httpStatus, endedAt: change.now, status: error ? 'FAILED' : 'COMPLETED', ...failed },
    });
    if (searchResults.length === 0) return;
    const rows = searchResults.map(({ fileId, passageIndex, score }, index) => ({
      rank: index + 1,
      fileId,
      passageIndex,
      score,
    }));
    // Results of files that were deleted meanwhile are left out; the lock waits for concurrent deletions.
    const stored = await change.tx.$executeRaw`
      INSERT INTO "FileSearchResult" ("workspaceId", "toolCallId", "rank", "fileId", "passageIndex", "score")
      SELECT ${ctx.workspaceId}, ${id}, h."rank", h."fileId", h."passageIndex", h."score"
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS h ("rank" int, "fileId" text, "passageIndex" int, "score" float8)
      JOIN "Passage" c ON c."workspaceId" = ${ctx.workspaceId} AND c."fileId" = h."fileId" AND c."index" = h."passageIndex"
      JOIN "File" f ON f."workspaceId" = c."workspaceId" AND f."id" = c."fileId"
      FOR KEY SHARE OF f, c`;
    // The output quotes the deleted file, so it is removed, as `deleteFile` does.
    if (stored < searchResults.length) await change.tx.toolCall.updateMany({ where: { id }, data: { output: null } });
  });
}

/** The calls of an open step of which a former worker started some, in order; null: there is no such step. */
export async function findStartedCalls(ctx: DomainContext, runId: string): Promise<ToolCall[] | null> {
  const step = await ctx.db.step.findFirst({
    where: { runId, status: 'IN_PROGRESS', toolCalls: { some: { startedAt: { not: null } } } },
    include: { toolCalls: { orderBy: { index: 'asc' } } },
  });
  return step?.toolCalls ?? null;
}
