import { z } from 'zod';
import type { Prisma, Run } from '../db/generated/client.ts';
import { requireScope } from './access.ts';
import type { DomainContext } from './context.ts';
import { type InputIssue, InvalidInputError, RunNotWaitingError } from './error.ts';
import { absentOr, parse, textUpTo } from './input.ts';
import { changeThread, type ThreadChange } from './journal.ts';
import { type ClaimedRun, changeRun } from './lease.ts';
import { storable } from './piece.ts';
import { endRun, enterStatus, findRun, ringFor } from './run.ts';
import { closeOpenStep, findOpenStep, type OpenStep } from './step.ts';
import type { Usage } from './usage.ts';

const output = z.object({
  toolCallId: z.string(),
  output: textUpTo(1_000_000),
  isError: absentOr(z.boolean()),
});
const submitInput = z.object({ runId: z.string(), outputs: z.array(output).max(1000, 'At most 1000 outputs, please') });
type ToolOutput = z.output<typeof output>;

/** A call whose arguments are complete. `error`: it is answered to the model, not handed to the client. */
export interface ReadyCall {
  id: string;
  arguments: string;
  error: string | null;
}

/**
 * Ends the model's part of a tool-calls step: its arguments are complete. Calls that no client can answer get their
 * error as output. If calls are left, the run lets go of its worker and waits in REQUIRES_ACTION until `expiresAt`.
 * Returns whether it waits.
 */
export function parkForTools(
  ctx: DomainContext,
  run: ClaimedRun,
  calls: ReadyCall[],
  more: { used: Usage & { cost: string | null }; totals: Prisma.RunUncheckedUpdateManyInput },
): Promise<boolean> {
  return changeRun(ctx, run, async (change, current) => {
    if (current.status === 'CANCELLING') {
      await endRun(ctx, change, current, { status: 'CANCELLED' }, { data: more.totals });
      return true;
    }
    for (const { id, ...call } of calls) {
      const text = storable(call.arguments);
      const error = call.error && storable(call.error);
      const answered = {
        status: 'FAILED',
        output: error,
        errorCode: 'invalid_tool_call',
        errorMessage: error,
        errorRetryable: true,
        endedAt: change.now,
      } as const;
      await change.tx.toolCall.updateMany({
        where: { id },
        data: { arguments: text, ...(error === null ? {} : answered) },
      });
    }
    const step = (await findOpenStep(change, run.id)) as OpenStep;
    await change.tx.step.updateMany({ where: { id: step.id }, data: more.used });
    if (calls.every(({ error }) => error !== null)) {
      await closeOpenStep(change, run.id, { status: 'COMPLETED', incompleteReason: null });
      await change.tx.run.updateMany({ where: { id: run.id }, data: more.totals });
      return false;
    }
    const select = { runExpirySeconds: true, maxRunSeconds: true } as const;
    const workspace = await change.tx.workspace.findFirstOrThrow({ where: {}, select });
    // It waits so long at most, and no longer than all of the run may take.
    const untilTired = change.now.getTime() + workspace.runExpirySeconds * 1000;
    const untilOver = (current.startedAt ?? change.now).getTime() + workspace.maxRunSeconds * 1000;
    await enterStatus(change, run, 'REQUIRES_ACTION', {
      ...more.totals,
      leasedUntil: null,
      expiresAt: new Date(Math.min(untilTired, untilOver)),
    });
    return true;
  });
}

/**
 * Answers all calls that a run waits for, at once, and lets it go on. Throws RunNotWaitingError when the run waits for
 * none, and InvalidInputError when outputs are missing, doubled, or for a call that it did not make.
 */
export async function submitToolOutputs(ctx: DomainContext, input: unknown): Promise<Run> {
  requireScope(ctx, 'RUNS_WRITE');
  const { runId, outputs } = parse(submitInput, input);
  const { threadId } = await findRun(ctx, runId);
  return changeThread(ctx, threadId, async (change) => {
    const run = await change.tx.run.findFirstOrThrow({ where: { id: runId } });
    const step = run.status === 'REQUIRES_ACTION' ? await findOpenStep(change, runId) : null;
    if (!step) throw new RunNotWaitingError(run);
    checkCompleteness(step, outputs);
    for (const answer of outputs) await storeOutput(change, answer);
    await closeOpenStep(change, runId, { status: 'COMPLETED', incompleteReason: null });
    await enterStatus(change, run, 'QUEUED', { expiresAt: null });
    await ringFor(ctx, change, runId);
    return change.tx.run.findFirstOrThrow({ where: { id: runId } });
  });
}

function checkCompleteness(step: OpenStep, outputs: ToolOutput[]): void {
  const waiting = new Set(step.toolCalls.filter(({ status }) => status === 'IN_PROGRESS').map(({ id }) => id));
  const issues: InputIssue[] = [];
  for (const [index, { toolCallId }] of outputs.entries()) {
    if (waiting.delete(toolCallId)) continue;
    const isDouble = outputs.findIndex((other) => other.toolCallId === toolCallId) < index;
    const message = isDouble ? 'This call is answered twice.' : 'The run waits for no call with this id.';
    issues.push({ path: ['outputs', String(index), 'toolCallId'], message });
  }
  if (waiting.size > 0) {
    issues.push({ path: ['outputs'], message: `Answer all calls at once; missing: ${[...waiting].join(', ')}.` });
  }
  if (issues.length > 0) throw new InvalidInputError(issues);
}

async function storeOutput(change: ThreadChange, { toolCallId, output, isError }: ToolOutput): Promise<void> {
  const failed = {
    status: 'FAILED',
    errorCode: 'tool_error',
    errorMessage: 'The client answered that the call failed; the output says why.',
    errorRetryable: false,
  } as const;
  await change.tx.toolCall.updateMany({
    where: { id: toolCallId },
    data: { output, endedAt: change.now, status: 'COMPLETED', ...(isError ? failed : {}) },
  });
}
