import type { Run } from '../db/generated/client.ts';
import { type DomainContext, type Services, systemContext } from '../domain/context.ts';
import { finishRun, handBackRun, LeaseLostError, renewEveryMs, renewLease } from '../domain/lease.ts';
import type { RunEnd } from '../domain/run.ts';
import type { OpenStep } from '../domain/step.ts';
import { type AfterCalls, findBegunCalls, settleCalls, storeCalls } from '../domain/tool-step.ts';
import { noUsage, type Usage } from '../domain/usage.ts';
import type { Offload } from '../offload/offload.ts';
import { formatFault } from './answer-format.ts';
import { callModel, type Patience } from './call-model.ts';
import { faultOf } from './model-error.ts';
import { callOptions, type Turn, TurnWriter } from './model-turn.ts';
import type { PieceWriter, RunWriter } from './piece-writer.ts';
import { fitPrompt } from './prompt.ts';
import { readyCalls } from './ready-call.ts';
import { callsAtOnce, makeCalls, resumeCalls } from './tool-turn.ts';
import { openToolbox, type Toolbox } from './toolbox.ts';
import { Totals } from './totals.ts';
import { readTranscript } from './transcript.ts';
import { untilAborted } from './until-aborted.ts';

/** Why an execution is broken off from outside. */
type StopReason = 'cancelled' | 'expired' | 'lease-lost' | 'shutdown';

/** What an execution needs beside the services. */
export interface Execution {
  services: Services;
  writer: PieceWriter;
  offload: Offload;
  patience: Patience;
  /** Aborted with 'shutdown' when the worker stops. */
  shutdown: AbortSignal;
}

/**
 * Executes a run that this worker has claimed, until it ends, waits for its client, or is no longer this worker's; resolves
 * then. Whatever goes wrong on the way ends the run FAILED. `stop` aborts with 'cancelled' when somebody asks for that.
 */
export async function executeRun(execution: Execution, run: Run, stop: AbortController): Promise<void> {
  const { services, shutdown } = execution;
  const ctx = systemContext(services, run.workspaceId);
  const stopFor = (reason: StopReason) => stop.abort(reason);
  const onShutdown = () => stopFor('shutdown');
  if (shutdown.aborted) onShutdown();
  shutdown.addEventListener('abort', onShutdown, { once: true });
  const renewal = setInterval(() => void keepLease(ctx, run, stopFor), renewEveryMs);
  const deadline = stopAt(run.expiresAt, () => stopFor('expired'));
  try {
    const writer = execution.writer.open(run, () => stopFor('lease-lost'));
    await executeClaimed(ctx, execution, run, writer, stop.signal);
  } finally {
    clearInterval(renewal);
    clearTimeout(deadline);
    execution.writer.close(run.id);
    shutdown.removeEventListener('abort', onShutdown);
  }
}

/** The longest that a timer can wait. */
const maxTimerMs = 2_147_483_647;

function stopAt(at: Date | null, stop: () => void): NodeJS.Timeout | undefined {
  if (at === null) return undefined;
  return setTimeout(stop, Math.min(Math.max(at.getTime() - Date.now(), 0), maxTimerMs)).unref();
}

async function keepLease(ctx: DomainContext, run: Run, stopFor: (reason: StopReason) => void): Promise<void> {
  try {
    const status = await renewLease(ctx, run);
    if (status === null) stopFor('lease-lost');
    if (status === 'CANCELLING') stopFor('cancelled');
  } catch (error) {
    ctx.log.warn({ err: error, runId: run.id }, 'the lease could not be renewed; trying again');
  }
}

async function executeClaimed(
  ctx: DomainContext,
  execution: Execution,
  run: Run,
  writer: RunWriter,
  signal: AbortSignal,
): Promise<void> {
  const totals = new Totals(run, ctx.models.describe(run.model));
  try {
    const end = await takeTurns(ctx, execution, run, writer, totals, signal);
    if (end) await finish(ctx, run, writer, totals, end);
  } catch (error) {
    if (error instanceof LeaseLostError || signal.reason === 'lease-lost') return;
    if (signal.reason === 'shutdown') {
      await writer.settle({ store: true });
      return handBackRun(ctx, run);
    }
    const end = signal.aborted ? endedFor(signal.reason) : failed(ctx, run, error);
    await finish(ctx, run, writer, totals, { end, usage: null })
      .catch((fault) => {
        if (fault instanceof LeaseLostError) return;
        // Not what went wrong, but telling of it, was too much: the thread goes on all the same.
        return finishRun(ctx, run, failed(ctx, run, fault));
      })
      .catch((fault) => {
        if (!(fault instanceof LeaseLostError)) throw fault;
      });
  }
}

/** How a run ends that was broken off. */
const endedFor = (reason: StopReason): RunEnd => ({ status: reason === 'expired' ? 'EXPIRED' : 'CANCELLED' });

function failed(ctx: DomainContext, run: Run, error: unknown): RunEnd {
  const fault = faultOf(error, run.model);
  // A provider's error carries the whole conversation: only what is of this server's own making is logged as it is.
  const own = fault.code === 'internal_error' ? { err: error } : {};
  ctx.log.warn({ ...own, runId: run.id, code: fault.code, fault: fault.message }, 'run failed');
  return { status: 'FAILED', error: fault };
}

async function finish(
  ctx: DomainContext,
  run: Run,
  writer: RunWriter,
  totals: Totals,
  { end, usage, openStep }: Ended,
): Promise<void> {
  await writer.settle({ store: false });
  const step = stepUsed(totals, usage);
  await finishRun(ctx, run, end, { texts: writer.texts(), data: totals.columns(), step, openStep });
}

/** How a run ends, and with what its last answer leaves. */
interface Ended {
  end: RunEnd;
  usage: Usage | null;
  /** null: none is open; absent: that is not known. */
  openStep?: OpenStep | null;
}

const stepUsed = (totals: Totals, usage: Usage | null) => (usage ? { usage, cost: totals.costOf(usage) } : {});

/** One answer of the model after the other, until there is an end. null: the run waits for its client, or is over. */
async function takeTurns(
  ctx: DomainContext,
  execution: Execution,
  run: Run,
  writer: RunWriter,
  totals: Totals,
  signal: AbortSignal,
): Promise<Ended | null> {
  // A run that was never claimed before has no steps yet.
  let steps = run.fence === 1 ? 0 : await ctx.db.step.count({ where: { runId: run.id } });
  const toolbox = await openToolbox(ctx, run);
  if (run.attempt > 1 && (await goOn(ctx, run, writer, toolbox, signal)) === 'wait') return null;
  for (;;) {
    const limit = limitReached(run, totals, steps);
    if (limit) return { end: limit, usage: null };
    signal.throwIfAborted();
    const turnWriter = new TurnWriter(ctx, run, writer, toolbox, steps);
    const hasTold = await askModel(ctx, execution, run, totals, steps > 0, toolbox, turnWriter, signal);
    if (!hasTold) return { end: { status: 'INCOMPLETE', reason: 'MAX_PROMPT_TOKENS' }, usage: null };
    const turn = turnWriter.turn();
    steps = turnWriter.steps;
    totals.add(turn.usage, turn.generationMs);
    if (turn.calls.length === 0) {
      const end = await untilAborted(endOf(execution.offload, run, turn), signal);
      return { end, usage: turn.usage, openStep: turnWriter.step };
    }
    await writer.settle({ store: false });
    const after = await takeCalls(ctx, execution, run, writer, toolbox, totals, turn, signal);
    if (after === 'wait') return null;
  }
}

/** Sees to the calls of an answer: makes those that are the server's. */
async function takeCalls(
  ctx: DomainContext,
  { offload }: Execution,
  run: Run,
  writer: RunWriter,
  toolbox: Toolbox,
  totals: Totals,
  turn: Turn,
  signal: AbortSignal,
): Promise<AfterCalls> {
  const calls = await untilAborted(readyCalls(offload, run, toolbox, turn.calls), signal);
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
  return settleCalls(ctx, run);
}

/** Goes on with the calls that another worker left in the middle. */
async function goOn(
  ctx: DomainContext,
  run: Run,
  writer: RunWriter,
  toolbox: Toolbox,
  signal: AbortSignal,
): Promise<AfterCalls> {
  const begun = await findBegunCalls(ctx, run.id);
  if (begun === null) return 'go on';
  await resumeCalls(ctx, run, writer, toolbox, begun, signal);
  return settleCalls(ctx, run);
}

/** Tells the model what there is to tell, and takes its answer. Returns false when that is more than the run may read. */
async function askModel(
  ctx: DomainContext,
  { patience, offload }: Execution,
  run: Run,
  totals: Totals,
  hasSteps: boolean,
  toolbox: Toolbox,
  turnWriter: TurnWriter,
  signal: AbortSignal,
): Promise<boolean> {
  const transcript = await readTranscript(ctx, run, hasSteps);
  const options = callOptions(ctx, run, toolbox, totals.completionTokens);
  const fitting = fitPrompt({ offload, owner: run.workspaceId }, transcript, toolTextsOf(toolbox), {
    contextWindow: ctx.models.describe(run.model).contextWindow,
    remaining: run.maxPromptTokens === null ? null : run.maxPromptTokens - totals.promptTokens,
    answer: options.maxOutputTokens ?? null,
  });
  const { prompt, isTooLong, ...told } = await untilAborted(fitting, signal);
  totals.note(told);
  if (isTooLong) return false;
  const model = ctx.models.languageModel(run.model);
  for await (const part of callModel(model, { ...options, prompt }, patience, signal)) await turnWriter.take(part);
  return true;
}

const toolTextsOf = ({ forModel }: Toolbox) => forModel.map((tool) => JSON.stringify(tool));

function limitReached(run: Run, totals: Totals, steps: number): RunEnd | null {
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
