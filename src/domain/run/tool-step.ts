import type { Prisma, ToolCall } from '../../db/generated/client.ts';
import type { CallResult } from '../../tools/tool.ts';
import type { DomainContext } from '../context.ts';
import { storable } from '../log/growing-text.ts';
import type { LockedRun, ThreadChange } from '../log/thread-change.ts';
import { closeOpenStep } from './close-step.ts';
import { type ClaimedRun, changeRun } from './lease.ts';
import { endRun, enterStatus } from './run.ts';
import { findOpenStep, type OpenStep } from './step.ts';
import type { Usage } from './usage.ts';

/** A call whose arguments are complete. */
export interface CheckedCall {
  id: string;
  arguments: string;
  /** It is answered to the model, and not made; null: it is to be made. */
  error: string | null;
  /** Whether the server makes it; else the client does. */
  isServers: boolean;
}

/** What follows: calls are to be made; the run waits for its client, or is over; or it goes on with the model. */
export type NextAction = 'make' | 'wait' | 'go on';

/** What is known of the model's part of a step. */
interface ModelPart {
  used: Usage & { cost: string | null };
  totals: Prisma.RunUncheckedUpdateManyInput;
}

/**
 * Ends the model's part of a tool-calls step: the arguments of its calls are complete. Calls that nobody can make get their
 * error as output. Of those that the server makes the first `atOnce` are under way from now on.
 */
export function storeCalls(
  ctx: DomainContext,
  run: ClaimedRun,
  calls: CheckedCall[],
  { used, totals }: ModelPart,
  atOnce: number,
): Promise<NextAction> {
  return changeRun(ctx, run, async (change, current) => {
    if (current.status === 'CANCELLING') return endCancelled(ctx, change, current, totals);
    const toMake = calls.filter(({ error, isServers }) => isServers && error === null);
    const begun = new Set(toMake.slice(0, atOnce).map(({ id }) => id));
    for (const { id, arguments: text, error } of calls) {
      await change.tx.toolCall.updateMany({
        where: { id },
        data: {
          arguments: storable(text),
          startedAt: begun.has(id) ? change.now : undefined,
          ...(error === null ? {} : rejectedColumns(storable(error), change.now)),
        },
      });
    }
    const step = (await findOpenStep(change, run.id)) as OpenStep;
    await change.tx.step.updateMany({ where: { id: step.id }, data: used });
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

/** Ends a tool-calls step whose calls the server has made: the run waits for its client where calls are left for it. */
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

/** Lets the run go on, or lets go of it until its client has answered, or until `expiresAt`. */
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
  // It waits so long at most, and no longer than all of the run may take.
  const untilTired = change.now.getTime() + workspace.runExpirySeconds * 1000;
  const untilOver = (current.startedAt ?? change.now).getTime() + workspace.maxRunSeconds * 1000;
  await enterStatus(change, current, 'REQUIRES_ACTION', {
    ...totals,
    leasedUntil: null,
    expiresAt: new Date(Math.min(untilTired, untilOver)),
  });
  return 'wait';
}

/** Stores that a call is under way: from now on nobody knows whether it has had its effect. */
export async function beginCall(ctx: DomainContext, run: ClaimedRun, id: string): Promise<void> {
  await changeRun(ctx, run, async (change) => {
    await change.tx.toolCall.updateMany({ where: { id }, data: { startedAt: change.now } });
  });
}

/** How a call of the server's ended. */
export interface CallEnd extends CallResult {
  /** All that it has written, which is what the model is told. */
  output: string;
}

/** Stores how a call ended: it is never made again. */
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
    // A file may have been deleted since it was found, or is being deleted.
    const stored = await change.tx.$executeRaw`
      INSERT INTO "FileSearchResult" ("workspaceId", "toolCallId", "rank", "fileId", "passageIndex", "score")
      SELECT ${ctx.workspaceId}, ${id}, h."rank", h."fileId", h."passageIndex", h."score"
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS h ("rank" int, "fileId" text, "passageIndex" int, "score" float8)
      JOIN "Passage" c ON c."workspaceId" = ${ctx.workspaceId} AND c."fileId" = h."fileId" AND c."index" = h."passageIndex"
      JOIN "File" f ON f."workspaceId" = c."workspaceId" AND f."id" = c."fileId"
      FOR KEY SHARE OF f, c`;
    // What was told of it goes with it, as `deleteFile` has it.
    if (stored < searchResults.length) await change.tx.toolCall.updateMany({ where: { id }, data: { output: null } });
  });
}

/** The calls of a step that another worker had begun to make, in their order; null: there is no such step. */
export async function findBegunCalls(ctx: DomainContext, runId: string): Promise<ToolCall[] | null> {
  const step = await ctx.db.step.findFirst({
    where: { runId, status: 'IN_PROGRESS', toolCalls: { some: { startedAt: { not: null } } } },
    include: { toolCalls: { orderBy: { index: 'asc' } } },
  });
  return step?.toolCalls ?? null;
}
