import { z } from 'zod';
import type { Run } from '../../db/generated/client.ts';
import { requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { type InputIssue, InvalidInputError, RunNotWaitingError } from '../error.ts';
import { absentOr, parse, textUpTo } from '../input.ts';
import { changeThread, type ThreadChange } from '../log/thread-change.ts';
import { closeOpenStep } from './close-step.ts';
import { enterStatus, findRun, notifyWorkers } from './run.ts';
import { findOpenStep, type OpenStep } from './step.ts';

/** What is said of a call that its client could not make. */
export const clientFailure = 'The client answered that the call failed; the output says why.';

const output = z.object({
  toolCallId: z.string(),
  output: textUpTo(1_000_000),
  isError: absentOr(z.boolean()),
});
const submitInput = z.object({ runId: z.string(), outputs: z.array(output).max(1000, 'At most 1000 outputs, please') });
type ToolOutput = z.output<typeof output>;

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
    await notifyWorkers(ctx, change, runId);
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
    errorMessage: clientFailure,
    errorRetryable: false,
  } as const;
  await change.tx.toolCall.updateMany({
    where: { id: toolCallId },
    data: { output, endedAt: change.now, status: 'COMPLETED', ...(isError ? failed : {}) },
  });
}
