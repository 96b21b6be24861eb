import type { Prisma, Run } from '../db/generated/client.ts';
import { type DomainContext, type Services, systemContext } from '../domain/context.ts';
import { finishRun, handBackRun, LeaseLostError, renewEveryMs, renewLease } from '../domain/lease.ts';
import type { RunEnd } from '../domain/run.ts';
import { storedTools } from '../domain/tool.ts';
import { parkForTools, type ReadyCall } from '../domain/tool-outputs.ts';
import { addUsage, costOf, noUsage, type Usage, usageOf } from '../domain/usage.ts';
import { callModel, type Patience } from './call-model.ts';
import { faultOf } from './model-error.ts';
import { callOptions, type MadeCall, type Turn, TurnWriter } from './model-turn.ts';
import type { PieceWriter, RunWriter } from './piece-writer.ts';
import { buildTranscript, parsedArguments } from './transcript.ts';

/** Why an execution is broken off from outside. */
type StopReason = 'cancelled' | 'expired' | 'lease-lost' | 'shutdown';

/** What an execution needs beside the services. */
export interface Execution {
  services: Services;
  writer: PieceWriter;
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
  const totals = new Totals(ctx, run);
  try {
    const end = await takeTurns(ctx, execution, run, writer, totals, signal);
    if (end) await finish(ctx, run, writer, totals, end.end, end.usage);
  } catch (error) {
    if (error instanceof LeaseLostError || signal.reason === 'lease-lost') return;
    if (signal.reason === 'shutdown') {
      await writer.settle({ store: true });
      return handBackRun(ctx, run);
    }
    const end = signal.aborted ? endedFor(signal.reason) : failed(ctx, run, error);
    await finish(ctx, run, writer, totals, end, null).catch((fault) => {
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
  end: RunEnd,
  usage: Usage | null,
): Promise<void> {
  await writer.settle({ store: false });
  await finishRun(ctx, run, end, { texts: writer.texts(), data: totals.columns(), step: usage ? { usage } : {} });
}

/** One answer of the model after the other, until there is an end. null: the run waits for its client, or is over. */
async function takeTurns(
  ctx: DomainContext,
  { patience }: Execution,
  run: Run,
  writer: RunWriter,
  totals: Totals,
  signal: AbortSignal,
): Promise<{ end: RunEnd; usage: Usage | null } | null> {
  const model = ctx.models.languageModel(run.model);
  // A run that was never claimed before has no steps yet.
  let steps = run.fence === 1 ? 0 : await ctx.db.step.count({ where: { runId: run.id } });
  for (;;) {
    const limit = limitReached(run, totals, steps);
    if (limit) return { end: limit, usage: null };
    signal.throwIfAborted();
    const prompt = await buildTranscript(ctx, run, steps > 0);
    const turnWriter = new TurnWriter(ctx, run, writer, steps);
    const options = { ...callOptions(run, totals.usage?.completionTokens ?? 0), prompt };
    for await (const part of callModel(model, options, patience, signal)) await turnWriter.take(part);
    const turn = turnWriter.turn();
    steps = turnWriter.steps;
    totals.add(turn.usage);
    if (turn.calls.length === 0) return { end: endOf(turn), usage: turn.usage };
    await writer.settle({ store: false });
    const calls = turn.calls.map((call) => readyCall(run, call));
    const waits = await parkForTools(ctx, run, calls, { usage: turn.usage ?? noUsage, totals: totals.columns() });
    if (waits) return null;
  }
}

function limitReached(run: Run, totals: Totals, steps: number): RunEnd | null {
  // What a lost worker left behind is not held against the run.
  if (steps >= run.maxSteps + run.attempt - 1) return { status: 'INCOMPLETE', reason: 'MAX_STEPS' };
  const { promptTokens = 0, completionTokens = 0 } = totals.usage ?? {};
  if (run.maxPromptTokens !== null && promptTokens >= run.maxPromptTokens) {
    return { status: 'INCOMPLETE', reason: 'MAX_PROMPT_TOKENS' };
  }
  const isSpent = run.maxCompletionTokens !== null && completionTokens >= run.maxCompletionTokens;
  return isSpent ? { status: 'INCOMPLETE', reason: 'MAX_COMPLETION_TOKENS' } : null;
}

function endOf({ finish }: Turn): RunEnd {
  if (finish === 'length') return { status: 'INCOMPLETE', reason: 'MAX_COMPLETION_TOKENS' };
  if (finish === 'content-filter') return { status: 'INCOMPLETE', reason: 'CONTENT_FILTER' };
  if (finish !== 'error') return { status: 'COMPLETED' };
  const message = 'The provider ended the answer with an error.';
  return { status: 'FAILED', error: { code: 'server_error', message, retryable: true } };
}

/** A call with what is wrong with it, if no client could answer it. */
function readyCall(run: Run, { id, name, arguments: text }: MadeCall): ReadyCall {
  const known = storedTools(run.tools).some((tool) => tool.name === name);
  if (!known) return { id, arguments: text, error: `There is no tool named ${name}.` };
  const isObject = parsedArguments(text) !== null;
  return { id, arguments: text, error: isObject ? null : 'The arguments are not a JSON object.' };
}

/** What the run has used so far, in this execution and before it. */
class Totals {
  readonly #ctx: DomainContext;
  readonly #run: Run;
  usage: Usage | null;

  constructor(ctx: DomainContext, run: Run) {
    this.#ctx = ctx;
    this.#run = run;
    const before = usageOf(run);
    if (before) {
      const { totalTokens: _total, ...usage } = before;
      this.usage = usage;
    } else this.usage = null;
  }

  add(usage: Usage | null): void {
    if (usage) this.usage = addUsage(this.usage ?? noUsage, usage);
  }

  columns(): Prisma.RunUncheckedUpdateManyInput {
    if (!this.usage) return {};
    return { ...this.usage, cost: costOf(this.usage, this.#ctx.models.describe(this.#run.model)) };
  }
}
