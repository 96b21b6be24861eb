/*
 * The states of one tool call, and the file of each transition:
 *
 *   ModelCall     model-turn.ts assembles it from the parts that the model streams, and opens its row
 *   CheckedCall   check-calls.ts checks name and arguments: valid, or with an error for the model;
 *                 toolbox.ts knows which names exist, and whether the server or the client runs them
 *   PendingCall   a valid call of the server, which make-calls.ts makes; storeCalls (domain/run/tool-step.ts) has completed
 *                 its row, and has marked the first calls as begun
 *   NextAction    what storeCalls, and finishCalls after the last call of the server, decide: `make` the pending calls,
 *                 `go on` with the model, or `wait`: the client must answer calls (REQUIRES_ACTION), or the run has ended
 */
import { untilAborted } from '../async/until-aborted.ts';
import type { ToolCall } from '../db/generated/client.ts';
import { deleteFilesOfCall } from '../domain/file/call-results.ts';
import { readTexts, textId } from '../domain/log/growing-text.ts';
import { endCall, findStartedCalls, finishCalls, type NextAction, storeCalls } from '../domain/run/tool-step.ts';
import { noUsage } from '../domain/run/usage.ts';
import { checkCalls } from './check-calls.ts';
import { engineLimits } from './limits.ts';
import { goneError, makeCalls, type PendingCall } from './make-calls.ts';
import type { Turn } from './model-turn.ts';
import type { RunExecution } from './run-execution.ts';
import type { Toolbox } from './toolbox.ts';

/** Checks and stores the calls of an answer, and makes those that the server runs. */
export async function handleCalls(execution: RunExecution, turn: Turn): Promise<NextAction> {
  const { ctx, run, usage, signal } = execution;
  const calls = await untilAborted(checkCalls(execution, turn.calls), signal);
  const used = turn.usage ?? noUsage;
  const part = { used: { ...used, cost: usage.costOf(used) }, totals: usage.columns() };
  const { surplusCalls } = turn;
  const next = await storeCalls(ctx, run, { calls, surplusCalls }, part, engineLimits.callsAtOnce);
  if (next !== 'make') return next;
  const names = new Map(turn.calls.map(({ id, name }) => [id, name]));
  const pending = calls
    .filter(({ isServers, error }) => isServers && error === null)
    .map(({ id, arguments: text }, index) => {
      return { id, name: names.get(id) ?? '', arguments: text, isBegun: index < engineLimits.callsAtOnce };
    });
  return makeAndFinish(execution, pending);
}

/** Resumes the calls that another worker left unfinished. Returns 'go on' if there are none. */
export async function resumeStep(execution: RunExecution): Promise<NextAction> {
  const calls = await findStartedCalls(execution.ctx, execution.run.id);
  return calls === null ? 'go on' : makeAndFinish(execution, await resumeCalls(execution, calls));
}

async function makeAndFinish(execution: RunExecution, pending: PendingCall[]): Promise<NextAction> {
  const { ctx, run, writer } = execution;
  await makeCalls(execution, pending);
  // The rows contain the outputs by now: no delta of them may be stored any more.
  await writer.drain({ store: false });
  return finishCalls(ctx, run);
}

const unknownOutcome = {
  code: 'OUTCOME_UNKNOWN',
  message:
    'The server stopped during this call: the call may or may not have taken effect. Find out before you call again.',
  retryable: false,
};

/**
 * Sorts the calls of a lost worker. A call that has ended stays. A call that had begun is made again only if its tool is
 * repeatable; otherwise it ends with an error, because its outcome is unknown. Returns the calls to make.
 */
async function resumeCalls(execution: RunExecution, calls: ToolCall[]): Promise<PendingCall[]> {
  const { ctx, run, writer, toolbox } = execution;
  const open = calls.filter(({ status, kind }) => status === 'IN_PROGRESS' && kind !== 'FUNCTION');
  const outputs = open.map(({ id }) => ({ ownerId: id, channel: 'OUTPUT' as const }));
  const texts = await readTexts(ctx.database, ctx.workspaceId, outputs);
  const pending: PendingCall[] = [];
  for (const call of open) {
    const { id, name, startedAt } = call;
    const output = texts.get(textId({ ownerId: id, channel: 'OUTPUT' })) ?? '';
    writer.resume(id, 'OUTPUT', output);
    const canMake = startedAt === null || toolbox.serverTool(name)?.isRepeatable === true;
    if (!isSameTool(call, toolbox)) await endCall(ctx, run, id, { output, error: goneError });
    else if (!canMake) await endCall(ctx, run, id, { output, error: unknownOutcome });
    else {
      await deleteFilesOfCall(ctx, id);
      if (output !== '') writer.append(id, 'OUTPUT', '\n[The server stopped here; the call is made again.]\n');
      pending.push({ id, name, arguments: call.arguments, isBegun: startedAt !== null });
    }
  }
  return pending;
}

/** Whether the name of a call still stands for the same tool. */
function isSameTool({ name, pluginId, operation }: ToolCall, toolbox: Toolbox): boolean {
  const current = toolbox.reference(name);
  return current.pluginId === pluginId && current.operation === operation;
}
