import { APICallError } from '@ai-sdk/provider';
import pLimit from 'p-limit';
import { untilAborted } from '../async/until-aborted.ts';
import { textId } from '../domain/log/growing-text.ts';
import { callContext } from '../domain/run/call-context.ts';
import { LeaseLostError } from '../domain/run/lease.ts';
import { beginCall, endCall } from '../domain/run/tool-step.ts';
import { faultOf } from '../providers/model-error.ts';
import { type CallResult, type ServerTool, ToolError } from '../tools/tool.ts';
import type { RunWriter } from './delta-writer.ts';
import { engineLimits } from './limits.ts';
import type { RunExecution } from './run-execution.ts';
import { parsedArguments } from './transcript.ts';

/** A call that the server is about to make. */
export interface PendingCall {
  id: string;
  name: string;
  /** A JSON object, as the model wrote it. */
  arguments: string;
  /** Whether its row already says that the call has begun. */
  isBegun: boolean;
}

/** Why a call is not made whose tool has been removed since the model saw it. */
export const goneError = { code: 'tool_gone', message: 'This tool is no longer available.', retryable: false };

const cutMark = '\n[The output is cut here.]\n';

/**
 * Makes calls side by side and stores how each ended; the failure of one call does not affect the others. Resolves when all
 * have ended. Throws the signal's reason when it aborts, and LeaseLostError, in both cases after all calls have settled.
 */
export async function makeCalls(execution: RunExecution, calls: PendingCall[]): Promise<void> {
  const limit = pLimit(engineLimits.callsAtOnce);
  const results = await Promise.allSettled(calls.map((call) => limit(makeCall, execution, call)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function makeCall(execution: RunExecution, call: PendingCall): Promise<void> {
  const { ctx, run, writer, toolbox, signal } = execution;
  signal.throwIfAborted();
  if (!call.isBegun) await beginCall(ctx, run, call.id);
  const tool = toolbox.serverTool(call.name);
  const result = tool ? await resultOf(execution, tool, call) : { error: goneError };
  await endCall(ctx, run, call.id, { ...result, output: outputOf(writer, call.id) });
}

const outputOf = (writer: RunWriter, id: string) =>
  writer.texts().get(textId({ ownerId: id, channel: 'OUTPUT' })) ?? '';

async function resultOf(execution: RunExecution, tool: ServerTool, call: PendingCall): Promise<CallResult> {
  const { ctx, run, signal } = execution;
  try {
    const context = callContext(ctx, run, call.id, outputWriter(execution, call.id), signal);
    return await untilAborted(tool.call(parsedArguments(call.arguments) ?? {}, context), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LeaseLostError) throw error;
    if (error instanceof ToolError) {
      return { error: { code: error.code, message: error.message, retryable: error.retryable } };
    }
    if (!APICallError.isInstance(error)) {
      ctx.log.error({ err: error, callId: call.id, tool: tool.kind }, 'tool call failed');
    }
    return { error: faultOf(error, tool.provider ?? tool.name) };
  }
}

/** Returns a function that appends to the output of a call, up to the limit and until the execution stops. */
function outputWriter({ writer, signal }: RunExecution, callId: string): (text: string) => void {
  let room = engineLimits.callOutput - outputOf(writer, callId).length;
  return (text) => {
    if (room < 0 || signal.aborted) return;
    writer.append(callId, 'OUTPUT', text.length > room ? text.slice(0, room) + cutMark : text);
    room -= text.length;
  };
}
