import { TurnBudget } from '../async/turn-budget.ts';
import { untilAborted } from '../async/until-aborted.ts';
import type { Run } from '../db/generated/client.ts';
import type { RunFault } from '../domain/error.ts';
import { withPatience } from '../domain/run/lease.ts';
import type { RunEnd } from '../domain/run/run.ts';
import type { OpenStep } from '../domain/run/step.ts';
import type { Usage } from '../domain/run/usage.ts';
import { formatFault } from './answer-format.ts';
import type { AnswerLimits } from './answer-limits.ts';
import { callModel } from './call-model.ts';
import { engineLimits } from './limits.ts';
import { callOptions } from './model-options.ts';
import { type AnswerLimit, type Turn, TurnWriter } from './model-turn.ts';
import { fitPrompt } from './prompt.ts';
import { partyOf, type RunExecution } from './run-execution.ts';
import type { RunUsage } from './run-usage.ts';
import { handleCalls, resumeStep } from './tool-turn.ts';
import type { Toolbox } from './toolbox.ts';
import { readTranscript } from './transcript.ts';

/** How a run ends, and the step that its last answer left open. */
export interface RunOutcome {
  end: RunEnd;
  /** The usage of the open step; null: unknown. */
  usage: Usage | null;
  /** The open step; null: no step is open; absent: unknown. */
  openStep?: OpenStep | null;
  /** Why the open step and its calls failed; absent: they end as the run does. */
  stepFault?: RunFault;
}

/** How long parts of answers that have been received may hold a turn of the event loop, in milliseconds. */
const turns = new TurnBudget(15);

/**
 * Alternates between answers of the model and calls of tools until the run ends. Returns null if the run waits for its
 * client, or has ended already.
 */
export async function runLoop(execution: RunExecution): Promise<RunOutcome | null> {
  const { ctx, run, writer, usage, signal } = execution;
  // Fence 1 is the first claim: the run has no steps yet.
  let steps = run.fence === 1 ? 0 : await withPatience(ctx, () => ctx.db.step.count({ where: { runId: run.id } }));
  if (run.attempt > 1 && (await resumeStep(execution)) === 'wait') return null;
  writer.reset();
  for (;;) {
    const limit = limitReached(run, usage, steps);
    if (limit) return { end: limit, usage: null };
    signal.throwIfAborted();
    const turnWriter = new TurnWriter(execution, steps);
    const hasAnswer = await callWithPrompt(execution, steps > 0, turnWriter);
    if (!hasAnswer) return { end: { status: 'INCOMPLETE', reason: 'MAX_PROMPT_TOKENS' }, usage: null };
    const turn = turnWriter.turn();
    steps = turnWriter.steps;
    usage.add(turn.usage, turn.generationMs);
    if (turn.limit) return { ...endAtLimit(execution, turn, turn.limit), usage: turn.usage, openStep: turnWriter.step };
    if (turn.calls.length === 0) {
      const end = await untilAborted(endOf(execution, turn), signal);
      return { end, usage: turn.usage, openStep: turnWriter.step };
    }
    await writer.drain({ store: false });
    if ((await handleCalls(execution, turn)) === 'wait') return null;
    writer.reset();
  }
}

/** Calls the model with the transcript. Returns false, without a call, if the least prompt exceeds `maxPromptTokens`. */
async function callWithPrompt(execution: RunExecution, hasSteps: boolean, turnWriter: TurnWriter): Promise<boolean> {
  const { ctx, run, toolbox, usage, offload, timeouts, answer, signal } = execution;
  const transcript = await withPatience(ctx, () => readTranscript(ctx, run, hasSteps));
  const options = callOptions(execution);
  const fitting = fitPrompt({ offload, owner: partyOf(run) }, transcript, toolTextsOf(toolbox), {
    contextWindow: ctx.models.describe(run.model).contextWindow,
    remaining: run.maxPromptTokens === null ? null : run.maxPromptTokens - usage.promptTokens,
    answer: options.maxOutputTokens ?? null,
  });
  const { prompt, isTooLong, ...size } = await untilAborted(fitting, signal);
  usage.recordPrompt(size);
  if (isTooLong) return false;
  const model = ctx.models.languageModel(run.model);
  const limits = {
    ...{ timeouts, silentBytes: silentBytes(answer), pace: execution.pace, party: partyOf(run) },
    parameters: (run.providerOptions as object | null) ?? {},
  };
  const parts = callModel(model, { ...options, prompt }, limits, signal);
  for await (const part of parts) {
    await turnWriter.onPart(part);
    // Leaving the loop closes the connection.
    if (turnWriter.isOver) break;
    await turns.wait();
  }
  return true;
}

/** What a response may contain beside its content: one part can be the whole of a text, escaped. */
const silentBytes = ({ textBytes, argumentBytes }: AnswerLimits) =>
  2 * Math.max(textBytes, argumentBytes) + engineLimits.silentBytes;

function endAtLimit(
  { answer }: RunExecution,
  { calls }: Turn,
  reason: AnswerLimit,
): Pick<RunOutcome, 'end' | 'stepFault'> {
  const end = { status: 'INCOMPLETE', reason } as const;
  if (calls.length === 0) return { end };
  const [what, bytes] =
    reason === 'ANSWER_TOO_LONG'
      ? ['The answer is', answer.textBytes]
      : ['The arguments of the calls are', answer.argumentBytes];
  const message = `${what} longer than ${bytes} bytes. No call was made.`;
  return { end, stepFault: { code: reason.toLowerCase(), message, retryable: false } };
}

const toolTextsOf = ({ forModel }: Toolbox) => forModel.map((tool) => JSON.stringify(tool));

function limitReached(run: Run, usage: RunUsage, steps: number): RunEnd | null {
  // Each takeover may have left an incomplete step, which does not count.
  if (steps >= run.maxSteps + run.attempt - 1) return { status: 'INCOMPLETE', reason: 'MAX_STEPS' };
  const { promptTokens, completionTokens } = usage;
  if (run.maxPromptTokens !== null && promptTokens >= run.maxPromptTokens) {
    return { status: 'INCOMPLETE', reason: 'MAX_PROMPT_TOKENS' };
  }
  const isSpent = run.maxCompletionTokens !== null && completionTokens >= run.maxCompletionTokens;
  return isSpent ? { status: 'INCOMPLETE', reason: 'MAX_COMPLETION_TOKENS' } : null;
}

async function endOf({ offload, run }: RunExecution, { finish, text }: Turn): Promise<RunEnd> {
  if (finish === 'length') return { status: 'INCOMPLETE', reason: 'MAX_COMPLETION_TOKENS' };
  if (finish === 'content-filter') return { status: 'INCOMPLETE', reason: 'CONTENT_FILTER' };
  if (finish !== 'error') {
    const error = await formatFault(offload, run, text);
    return error ? { status: 'FAILED', error } : { status: 'COMPLETED' };
  }
  const message = 'The provider ended the answer with an error.';
  return { status: 'FAILED', error: { code: 'server_error', message, retryable: true } };
}
