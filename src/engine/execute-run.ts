import type { Run } from '../db/generated/client.ts';
import { type DomainContext, type Services, systemContext } from '../domain/context.ts';
import { finishRun, handBackRun, LeaseLostError, renewLease } from '../domain/run/lease.ts';
import type { RunEnd } from '../domain/run/run.ts';
import type { Offload } from '../offload/offload.ts';
import { faultOf } from '../providers/model-error.ts';
import type { ModelTimeouts } from './call-model.ts';
import type { DeltaWriter, RunWriter } from './delta-writer.ts';
import { type RunOutcome, runLoop } from './run-loop.ts';
import { RunUsage } from './run-usage.ts';
import { openToolbox } from './toolbox.ts';

/** Why an execution is broken off from outside. */
type StopReason = 'cancelled' | 'expired' | 'lease-lost' | 'shutdown';

/** What an execution needs beside the services. */
export interface ExecutorContext {
  services: Services;
  writer: DeltaWriter;
  offload: Offload;
  patience: ModelTimeouts;
  /** Aborted with 'shutdown' when the worker stops. */
  shutdown: AbortSignal;
}

/**
 * Executes a run that this worker has claimed, until it ends, waits for its client, or is no longer this worker's; resolves
 * then. Whatever goes wrong on the way ends the run FAILED. `stop` aborts with 'cancelled' when somebody asks for that.
 */
export async function executeRun(execution: ExecutorContext, run: Run, stop: AbortController): Promise<void> {
  const { services, shutdown } = execution;
  const ctx = systemContext(services, run.workspaceId);
  const stopFor = (reason: StopReason) => stop.abort(reason);
  const onShutdown = () => stopFor('shutdown');
  if (shutdown.aborted) onShutdown();
  shutdown.addEventListener('abort', onShutdown, { once: true });
  const renewal = setInterval(() => void keepLease(ctx, run, stopFor), services.timing.run.leaseRenewalMs);
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
  { offload, patience }: ExecutorContext,
  run: Run,
  writer: RunWriter,
  signal: AbortSignal,
): Promise<void> {
  const totals = new RunUsage(run, ctx.models.describe(run.model));
  try {
    const toolbox = await openToolbox(ctx, run);
    const end = await runLoop({ ctx, run, writer, toolbox, totals, offload, patience, signal });
    if (end) await finish(ctx, run, writer, totals, end);
  } catch (error) {
    if (error instanceof LeaseLostError || signal.reason === 'lease-lost') return;
    if (signal.reason === 'shutdown') {
      await writer.drain({ store: true });
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
  totals: RunUsage,
  { end, usage, openStep }: RunOutcome,
): Promise<void> {
  await writer.drain({ store: false });
  const step = usage ? { usage, cost: totals.costOf(usage) } : {};
  await finishRun(ctx, run, end, { texts: writer.texts(), data: totals.columns(), step, openStep });
}
