import { z } from 'zod';
import type { Run } from '../../db/generated/client.ts';
import { requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { type InputIssue, InvalidInputError, RunNotWaitingError } from '../error.ts';
import { absentOr, listUpTo, parse, textUpTo } from '../input.ts';
import { toolLimits } from '../limits.ts';
import { changeThread, type ThreadChange } from '../log/thread-change.ts';
import { closeOpenStep } from './close-step.ts';
import { enterStatus, findRun, notifyWorkers } from './run.ts';
import { findOpenStep, type OpenStep } from './step.ts';

/** The error message of a call whose client submitted an error. */
export const clientFailure = 'The client reported that the call failed. The output states the reason.';

const output = z.object({
  toolCallId: z.string(),
  output: textUpTo(toolLimits.output),
  isError: absentOr(z.boolean()),
});
const submitInput = z.object({ runId: z.string(), outputs: listUpTo(output, toolLimits.outputs, 'outputs') });
type ToolOutput = z.output<typeof output>;

/**
 * Submits the outputs of all calls that a run waits for, and queues the run again. Throws RunNotWaitingError when the
 * run is not waiting, and InvalidInputError when an output is missing, duplicate, or for another call.
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
    for (const output of outputs) storeOutput(change, output);
    await change.flush();
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
    const isDuplicate = outputs.findIndex((other) => other.toolCallId === toolCallId) < index;
    const message = isDuplicate ? 'This call has two outputs.' : 'The run is not waiting for a call with this ID.';
    issues.push({ path: ['outputs', String(index), 'toolCallId'], message });
  }
  if (waiting.size > 0) {
    issues.push({
      path: ['outputs'],
      message: `Submit the outputs of all calls at once. Missing: ${[...waiting].join(', ')}.`,
    });
  }
  if (issues.length > 0) throw new InvalidInputError(issues);
}

function storeOutput(change: ThreadChange, { toolCallId, output, isError }: ToolOutput): void {
  const failed = {
    status: 'FAILED',
    errorCode: 'tool_error',
    errorMessage: clientFailure,
    errorRetryable: false,
  } as const;
  const ended = { output, endedAt: change.now, status: 'COMPLETED' } as const;
  change.pending.update('ToolCall', toolCallId, { ...ended, ...(isError ? failed : {}) });
}
