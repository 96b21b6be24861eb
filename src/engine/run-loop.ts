import { untilAborted } from '../async/until-aborted.ts';
import type { Run } from '../db/generated/client.ts';
import type { DomainContext } from '../domain/context.ts';
import type { RunEnd } from '../domain/run/run.ts';
import type { OpenStep } from '../domain/run/step.ts';
import { findStartedCalls, finishCalls, type NextAction, storeCalls } from '../domain/run/tool-step.ts';
import { noUsage, type Usage } from '../domain/run/usage.ts';
import type { Offload } from '../offload/offload.ts';
import { formatFault } from './answer-format.ts';
import { callModel, type ModelTimeouts } from './call-model.ts';
import { checkCalls } from './check-calls.ts';
import type { RunWriter } from './delta-writer.ts';
import { callOptions, type Turn, TurnWriter } from './model-turn.ts';
import { fitPrompt } from './prompt.ts';
import type { RunUsage } from './run-usage.ts';
import { callsAtOnce, makeCalls, resumeCalls } from './tool-turn.ts';
import type { Toolbox } from './toolbox.ts';
import { readTranscript } from './transcript.ts';

/** A run that is being executed, with all that takes. */
export interface RunExecution {
  ctx: DomainContext;
  run: Run;
  writer: RunWriter;
  toolbox: Toolbox;
  totals: RunUsage;
  offload: Offload;
  patience: ModelTimeouts;
  /** Aborts when the execution is broken off. */
  signal: AbortSignal;
}

/** How a run ends, and with what its last answer leaves. */
export interface RunOutcome {
  end: RunEnd;
  usage: Usage | null;
  /** null: none is open; absent: that is not known. */
  openStep?: OpenStep | null;
}

/** One answer of the model after the other, until there is an end. null: the run waits for its client, or is over. */
export async function runLoop(work: RunExecution): Promise<RunOutcome | null> {
  const { ctx, run, writer, toolbox, totals, offload, signal } = work;
  // A run that was never claimed before has no steps yet.
  let steps = run.fence === 1 ? 0 : await ctx.db.step.count({ where: { runId: run.id } });
  if (run.attempt > 1 && (await resumeStep(work)) === 'wait') return null;
  for (;;) {
    const limit = limitReached(run, totals, steps);
    if (limit) return { end: limit, usage: null };
    signal.throwIfAborted();
    const turnWriter = new TurnWriter(ctx, run, writer, toolbox, steps);
    const hasTold = await askModel(work, steps > 0, turnWriter);
    if (!hasTold) return { end: { status: 'INCOMPLETE', reason: 'MAX_PROMPT_TOKENS' }, usage: null };
    const turn = turnWriter.turn();
    steps = turnWriter.steps;
    totals.add(turn.usage, turn.generationMs);
    if (turn.calls.length === 0) {
      const end = await untilAborted(endOf(offload, run, turn), signal);
      return { end, usage: turn.usage, openStep: turnWriter.step };
    }
    await writer.drain({ store: false });
    if ((await handleCalls(work, turn)) === 'wait') return null;
  }
}

/** Sees to the calls of an answer: makes those that are the server's. */
async function handleCalls(work: RunExecution, turn: Turn): Promise<NextAction> {
  const { ctx, run, writer, toolbox, totals, offload, signal } = work;
  const calls = await untilAborted(checkCalls(offload, run, toolbox, turn.calls), signal);
  const used = turn.usage ?? noUsage;
  const part = { used: { ...used, cost: totals.costOf(used) }, totals: totals.columns() };
  const after = await storeCalls(ctx, run, calls, part, callsAtOnce);
  if (after !== 'make') return after;
  const toMake = calls
    .filter(({ isServers, error }) => isServers && error === null)
    .map(({ id, arguments: text }, index) => {
      const name = turn.calls.find((call) => call.id === id)?.name ?? '';
      return { id, name, arguments: text, isBegun: index < callsAtOnce };
    });
  await makeCalls(ctx, run, writer, toolbox, toMake, signal);
  // Nothing of their outputs is on its way any more.
  await writer.drain({ store: false });
  return finishCalls(ctx, run);
}

/** Goes on with the calls that another worker left in the middle. */
async function resumeStep({ ctx, run, writer, toolbox, signal }: RunExecution): Promise<NextAction> {
  const begun = await findStartedCalls(ctx, run.id);
  if (begun === null) return 'go on';
  await resumeCalls(ctx, run, writer, toolbox, begun, signal);
  await writer.drain({ store: false });
  return finishCalls(ctx, run);
}

/** Tells the model what there is to tell, and takes its answer. Returns false when that is more than the run may read. */
async function askModel(work: RunExecution, hasSteps: boolean, turnWriter: TurnWriter): Promise<boolean> {
  const { ctx, run, toolbox, totals, offload, patience, signal } = work;
  const transcript = await readTranscript(ctx, run, hasSteps);
  const options = callOptions(ctx, run, toolbox, totals.completionTokens);
  const fitting = fitPrompt({ offload, owner: run.workspaceId }, transcript, toolTextsOf(toolbox), {
    contextWindow: ctx.models.describe(run.model).contextWindow,
    remaining: run.maxPromptTokens === null ? null : run.maxPromptTokens - totals.promptTokens,
    answer: options.maxOutputTokens ?? null,
  });
  const { prompt, isTooLong, ...told } = await untilAborted(fitting, signal);
  totals.recordPrompt(told);
  if (isTooLong) return false;
  const model = ctx.models.languageModel(run.model);
  for await (const part of callModel(model, { ...options, prompt }, patience, signal)) await turnWriter.onPart(part);
  return true;
}

const toolTextsOf = ({ forModel }: Toolbox) => forModel.map((tool) => JSON.stringify(tool));

function limitReached(run: Run, totals: RunUsage, steps: number): RunEnd | null {
  // What a lost worker left behind is not held against the run.
  if (steps >= run.maxSteps + run.attempt - 1) return { status: 'INCOMPLETE', reason: 'MAX_STEPS' };
  const { promptTokens, completionTokens } = totals;
  if (run.maxPromptTokens !== null && promptTokens >= run.maxPromptTokens) {
    return { status: 'INCOMPLETE', reason: 'MAX_PROMPT_TOKENS' };
  }
  const isSpent = run.maxCompletionTokens !== null && completionTokens >= run.maxCompletionTokens;
  return isSpent ? { status: 'INCOMPLETE', reason: 'MAX_COMPLETION_TOKENS' } : null;
}

async function endOf(offload: Offload, run: Run, { finish, text }: Turn): Promise<RunEnd> {
  if (finish === 'length') return { status: 'INCOMPLETE', reason: 'MAX_COMPLETION_TOKENS' };
  if (finish === 'content-filter') return { status: 'INCOMPLETE', reason: 'CONTENT_FILTER' };
  if (finish !== 'error') {
    const error = await formatFault(offload, run, text);
    return error ? { status: 'FAILED', error } : { status: 'COMPLETED' };
  }
  const message = 'The provider ended the answer with an error.';
  return { status: 'FAILED', error: { code: 'server_error', message, retryable: true } };
}
