import type { Party } from '../async/fair-slots.ts';
import type { DomainContext } from '../domain/context.ts';
import type { ClaimedRun } from '../domain/run/lease.ts';
import type { Offload } from '../offload/offload.ts';
import type { AnswerLimits } from './answer-limits.ts';
import type { ModelTimeouts } from './call-model.ts';
import type { RunWriter } from './delta-writer.ts';
import type { RunPace } from './run-pace.ts';
import type { RunUsage } from './run-usage.ts';
import type { Toolbox } from './toolbox.ts';

/** One execution of a run by this worker: the run as it was claimed, and what its execution works with. */
export interface RunExecution {
  readonly ctx: DomainContext;
  readonly run: ClaimedRun;
  readonly writer: RunWriter;
  readonly toolbox: Toolbox;
  readonly usage: RunUsage;
  readonly offload: Offload;
  readonly timeouts: ModelTimeouts;
  readonly answer: AnswerLimits;
  readonly pace: RunPace;
  /** Aborts when the execution must stop; the reason says why (`StopReason`). */
  readonly signal: AbortSignal;
}

/** To whose share of the server's resources a run counts. */
export const partyOf = ({ workspaceId, slotOwner }: Pick<ClaimedRun, 'workspaceId' | 'slotOwner'>): Party => ({
  workspaceId,
  owner: slotOwner,
});
