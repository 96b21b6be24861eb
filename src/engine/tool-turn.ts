import { APICallError } from '@ai-sdk/provider';
import { untilAborted } from '../async/until-aborted.ts';
import type { Run, ToolCall } from '../db/generated/client.ts';
import type { DomainContext } from '../domain/context.ts';
import { readTexts, textId } from '../domain/log/growing-text.ts';
import { callContext } from '../domain/run/call-context.ts';
import { LeaseLostError } from '../domain/run/lease.ts';
import { beginCall, type CallEnd, endCall } from '../domain/run/tool-step.ts';
import { faultOf } from '../providers/model-error.ts';
import { type CallResult, type ServerTool, ToolError } from '../tools/tool.ts';
import type { RunWriter } from './delta-writer.ts';
import type { Toolbox } from './toolbox.ts';
import { parsedArguments } from './transcript.ts';

/** How many calls of one step are made at a time. */
export const callsAtOnce = 8;
/** What a model is told of one call; more is cut. */
const maxOutput = 200_000;
const cut = '\n[The output is cut here.]\n';

/** A call that the server makes. */
export interface PendingCall {
  id: string;
  name: string;
  arguments: string;
  /** Whether it is stored already that it is under way. */
  isBegun: boolean;
}

/**
 * Makes calls, some at a time, each by itself: one that fails keeps nobody from the others. Resolves when all have ended.
 * Throws the signal's reason when it aborts, and LeaseLostError.
 */
export async function makeCalls(
  ctx: DomainContext,
  run: Run,
  writer: RunWriter,
  toolbox: Toolbox,
  calls: PendingCall[],
  signal: AbortSignal,
): Promise<void> {
  const queue = [...calls];
  const lane = async () => {
    for (let call = queue.shift(); call; call = queue.shift()) await makeCall(ctx, run, writer, toolbox, call, signal);
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(callsAtOnce, calls.length) }, lane));
  for (const one of lanes) if (one.status === 'rejected') throw one.reason;
}

async function makeCall(
  ctx: DomainContext,
  run: Run,
  writer: RunWriter,
  toolbox: Toolbox,
  call: PendingCall,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (!call.isBegun) await beginCall(ctx, run, call.id);
  const tool = toolbox.serverTool(call.name);
  const result = tool ? await resultOf(ctx, run, writer, tool, call, signal) : { error: noTool };
  await endCall(ctx, run, call.id, { ...result, output: outputOf(writer, call.id) });
}

/** Whether a name still stands for the tool that was called by it. */
function isSame({ name, pluginId, operation }: ToolCall, toolbox: Toolbox): boolean {
  const now = toolbox.reference(name);
  return now.pluginId === pluginId && now.operation === operation;
}

const noTool = { code: 'tool_gone', message: 'This tool is not there any more.', retryable: false };
const outputOf = (writer: RunWriter, id: string) =>
  writer.texts().get(textId({ ownerId: id, channel: 'OUTPUT' })) ?? '';

async function resultOf(
  ctx: DomainContext,
  run: Run,
  writer: RunWriter,
  tool: ServerTool,
  call: PendingCall,
  signal: AbortSignal,
): Promise<CallResult> {
  let room = maxOutput - outputOf(writer, call.id).length;
  const write = (text: string) => {
    // What comes behind the end of the run is nobody's.
    if (room < 0 || signal.aborted) return;
    writer.append(call.id, 'OUTPUT', text.length > room ? text.slice(0, room) + cut : text);
    room -= text.length;
  };
  try {
    const args = parsedArguments(call.arguments) ?? {};
    return await untilAborted(tool.call(args, callContext(ctx, run, call.id, write, signal)), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LeaseLostError) throw error;
    if (error instanceof ToolError) {
      return { error: { code: error.code, message: error.message, retryable: error.retryable } };
    }
    if (!APICallError.isInstance(error)) ctx.log.error({ err: error, callId: call.id, tool: tool.name }, 'tool');
    return { error: faultOf(error, tool.provider ?? tool.name) };
  }
}

const unknownOutcome = {
  code: 'OUTCOME_UNKNOWN',
  message:
    'The server stopped while this call was under way: it may or may not have had its effect. Find out before making it again.',
  retryable: false,
};

/**
 * Goes on with calls that another worker had begun: one that has answered is not made again; one that was under way is made
 * again only if that does no harm, else its outcome is unknown, which the model is told.
 */
export async function resumeCalls(
  ctx: DomainContext,
  run: Run,
  writer: RunWriter,
  toolbox: Toolbox,
  calls: ToolCall[],
  signal: AbortSignal,
): Promise<void> {
  const open = calls.filter(({ status, kind }) => status === 'IN_PROGRESS' && kind !== 'FUNCTION');
  const keys = open.map(({ id }) => ({ ownerId: id, channel: 'OUTPUT' as const }));
  const texts = await readTexts(ctx.database, ctx.workspaceId, keys);
  const toMake: PendingCall[] = [];
  for (const [index, call] of open.entries()) {
    const { id, name, startedAt } = call;
    const written = texts.get(textId(keys[index] as (typeof keys)[number])) ?? '';
    writer.resume(id, 'OUTPUT', written);
    const isKnown = startedAt === null || toolbox.serverTool(name)?.isRepeatable === true;
    if (!isSame(call, toolbox)) await endCall(ctx, run, id, { output: written, error: noTool });
    else if (isKnown) {
      // What it wrote before it writes again.
      await ctx.db.file.deleteMany({ where: { toolCallId: id } });
      if (written !== '') writer.append(id, 'OUTPUT', '\n[The server stopped here; the call is made again.]\n');
      toMake.push({ id, name, arguments: call.arguments, isBegun: startedAt !== null });
    } else {
      const end: CallEnd = { output: written, error: unknownOutcome };
      await endCall(ctx, run, id, end);
    }
  }
  await makeCalls(ctx, run, writer, toolbox, toMake, signal);
}
