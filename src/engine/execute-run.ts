import type { Run } from '../db/generated/client.ts';
import { isUnavailable } from '../db/unavailable.ts';
import { type DomainContext, type Services, systemContext } from '../domain/context.ts';
import { type ClaimedRun, finishRun, handBackRun, LeaseLostError, withPatience } from '../domain/run/lease.ts';
import type { RunEnd } from '../domain/run/run.ts';
import type { Offload } from '../offload/offload.ts';
import { faultOf } from '../providers/model-error.ts';
import type { AnswerLimits } from './answer-limits.ts';
import type { ModelTimeouts } from './call-model.ts';
import type { DeltaWriter } from './delta-writer.ts';
import type { RunExecution } from './run-execution.ts';
import { type RunOutcome, runLoop } from './run-loop.ts';
import type { RunPace } from './run-pace.ts';
import { RunUsage } from './run-usage.ts';
import { openToolbox } from './toolbox.ts';

/** Why an execution is stopped from outside. */
export type StopReason = 'cancelled' | 'expired' | 'lease-lost' | 'shutdown';

/** What all executions of a worker share. */
export interface ExecutorContext {
  services: Services;
  writer: DeltaWriter;
  offload: Offload;
  timeouts: ModelTimeouts;
  answer: AnswerLimits;
  pace: RunPace;
  /** Aborts when the worker stops. */
  shutdown: AbortSignal;
}

/**
 * Executes a run that this worker has claimed. Resolves when the run has ended, waits for its client, has been handed back,
 * or belongs to another worker. Any error of the execution ends the run FAILED, except that the database is unavailable: then
 * the run waits, or is handed back. Abort `stop` with 'cancelled' to cancel.
 */
export async function executeRun(executor: ExecutorContext, run: ClaimedRun, stop: AbortController): Promise<void> {
  const { services, shutdown } = executor;
  const ctx = systemContext(services, run.workspaceId);
  const stopFor = (reason: StopReason) => stop.abort(reason);
  const onShutdown = () => stopFor('shutdown');
  if (shutdown.aborted) onShutdown();
  shutdown.addEventListener('abort', onShutdown, { once: true });
  const deadline = stopAt(run, () => stopFor('expired'));
  try {
    const writer = executor.writer.open(run, () => stopFor('lease-lost'));
    await executeClaimed(executor, { ctx, run, writer, signal: stop.signal });
  } finally {
    clearTimeout(deadline);
    executor.writer.close(run.id);
    shutdown.removeEventListener('abort', onShutdown);
  }
}

/** The longest delay that a timer accepts. */
const maxTimerMs = 2_147_483_647;

/** Calls `stop` when the run expires. The time until then is that of the database: clocks of processes differ. */
function stopAt({ expiresAt, claimedAt }: ClaimedRun, stop: () => void): NodeJS.Timeout | undefined {
  if (expiresAt === null) return undefined;
  return setTimeout(stop, Math.min(Math.max(expiresAt.getTime() - claimedAt.getTime(), 0), maxTimerMs)).unref();
}

/** The part of an execution that exists before its tools are known. */
type ClaimedExecution = Pick<RunExecution, 'ctx' | 'run' | 'writer' | 'signal'>;

async function executeClaimed(
  { offload, timeouts, answer, pace }: ExecutorContext,
  claimed: ClaimedExecution,
): Promise<void> {
  const { ctx, run, writer, signal } = claimed;
  const usage = new RunUsage(run, ctx.models.describe(run.model));
  try {
    const toolbox = await withPatience(ctx, () => openToolbox(ctx, run));
    const outcome = await runLoop({ ...claimed, toolbox, usage, offload, timeouts, answer, pace });
    if (outcome) await finish(claimed, usage, outcome);
  } catch (error) {
    if (error instanceof LeaseLostError || signal.reason === 'lease-lost') return;
    if (signal.reason === 'shutdown') {
      await writer.drain({ store: true });
      return handBackRun(ctx, run);
    }
    if (!signal.aborted && isUnavailable(error)) return handBackRun(ctx, run);
    const end = signal.aborted ? endFor(signal.reason) : failed(ctx, run, error);
    await finishAfterError(claimed, usage, end);
  }
}

async function finishAfterError(claimed: ClaimedExecution, usage: RunUsage, end: RunEnd): Promise<void> {
  const { ctx, run } = claimed;
  try {
    await finish(claimed, usage, { end, usage: null }).catch((error) => {
      if (error instanceof LeaseLostError) throw error;
      // The outcome could not be stored with the texts of the run: end the run without them, so that its thread continues.
      return finishRun(ctx, run, failed(ctx, run, error));
    });
  } catch (error) {
    if (!(error instanceof LeaseLostError)) throw error;
  }
}

/** How a stopped run ends. */
const endFor = (reason: StopReason): RunEnd => ({ status: reason === 'expired' ? 'EXPIRED' : 'CANCELLED' });

function failed(ctx: DomainContext, run: Run, error: unknown): RunEnd {
  const fault = faultOf(error, run.model);
  // The message of a provider's error may quote the conversation.
  const own = fault.code === 'internal_error' ? { err: error } : {};
  ctx.log.warn({ ...own, runId: run.id, code: fault.code }, 'run failed');
  return { status: 'FAILED', error: fault };
}

async function finish({ ctx, run, writer }: ClaimedExecution, total: RunUsage, outcome: RunOutcome): Promise<void> {
  const { end, usage, openStep, stepFault } = outcome;
  await writer.drain({ store: false });
  const step = {
    ...(usage ? { usage, cost: total.costOf(usage) } : {}),
    ...(stepFault ? { status: 'FAILED' as const, error: stepFault } : {}),
  };
  await finishRun(ctx, run, end, { texts: writer.texts(), data: total.columns(), step, openStep });
}
