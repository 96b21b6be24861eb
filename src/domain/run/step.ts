import type { Run, Step, StepType, ToolCall } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import type { DomainContext } from '../context.ts';
import { storable } from '../log/growing-text.ts';
import type { ThreadChange } from '../log/thread-change.ts';
import { emptyMessage } from '../thread/message.ts';

/** A step that has not ended, with its tool calls. */
export type OpenStep = Step & { toolCalls: ToolCall[] };

/** The open step of a run; null: none is open. */
export async function findOpenStep(change: ThreadChange, runId: string): Promise<OpenStep | null> {
  return change.tx.step.findFirst({
    where: { runId, status: 'IN_PROGRESS' },
    include: { toolCalls: { orderBy: { index: 'asc' } } },
  });
}

/** Opens a step of the run. It is announced when its type is known: with its message or its first call. */
export function openStep(
  ctx: DomainContext,
  change: ThreadChange,
  runId: string,
  index: number,
  messageId: string | null = null,
): OpenStep {
  const step: Step = {
    workspaceId: ctx.workspaceId,
    id: newId('Step'),
    runId,
    index,
    messageId,
    type: 'MESSAGE_CREATION',
    status: 'IN_PROGRESS',
    reasoning: '',
    surplusCalls: 0,
    createdAt: change.now,
    startedAt: change.now,
    endedAt: null,
    ...noResult,
  };
  change.pending.insert('Step', step);
  return { ...step, toolCalls: [] };
}

/** The columns of a step or a call that has not failed. */
export const noError = { errorCode: null, errorMessage: null, errorRetryable: null } as const;
/** The columns of a step that has not ended. */
export const noResult = {
  ...noError,
  promptTokens: null,
  completionTokens: null,
  reasoningTokens: null,
  cachedTokens: null,
  cost: null,
} as const;

/** Logs the start of the step's reasoning. */
export function startReasoning(change: ThreadChange, step: Step): void {
  change.log({ type: 'REASONING_STARTED', runId: step.runId, stepId: step.id });
}

/** Sets the type of the step and logs its start. */
export function announceStep(change: ThreadChange, step: Step, type: StepType): void {
  if (type !== step.type) change.pending.update('Step', step.id, { type });
  step.type = type;
  change.log({ type: 'STEP_STARTED', runId: step.runId, stepId: step.id, value: type });
}

/**
 * Opens a message. `at`: the open step that it belongs to, or the index of a new step. Returns the step, with the ID of
 * the message.
 */
export function startMessage(
  ctx: DomainContext,
  change: ThreadChange,
  run: Run,
  at: OpenStep | number,
): OpenStep & { messageId: string } {
  const id = newId('Message');
  const message = {
    ...emptyMessage,
    workspaceId: ctx.workspaceId,
    id,
    threadId: run.threadId,
    runId: run.id,
    assistantId: run.assistantId,
    role: 'ASSISTANT' as const,
    status: 'IN_PROGRESS' as const,
    position: change.position(),
    createdAt: change.now,
  };
  change.pending.insert('Message', message);
  const step = typeof at === 'number' ? openStep(ctx, change, run.id, at, id) : at;
  if (typeof at !== 'number') change.pending.update('Step', step.id, { messageId: id });
  announceStep(change, step, 'MESSAGE_CREATION');
  change.thread.lastActiveAt = change.now;
  change.log({ type: 'MESSAGE_STARTED', runId: run.id, stepId: step.id, messageId: id }, { message });
  return Object.assign(step, { messageId: id });
}

/** Opens a tool call on the step and returns its row. The first call announces the step. */
export function startToolCall(
  ctx: DomainContext,
  change: ThreadChange,
  step: OpenStep,
  name: string,
  tool: Pick<ToolCall, 'kind' | 'pluginId' | 'operation'>,
): ToolCall {
  if (step.toolCalls.length === 0) announceStep(change, step, 'TOOL_CALLS');
  const call: ToolCall = {
    ...noError,
    workspaceId: ctx.workspaceId,
    id: newId('ToolCall'),
    stepId: step.id,
    index: step.toolCalls.length,
    ...tool,
    name: storable(name),
    status: 'IN_PROGRESS',
    arguments: '',
    output: null,
    httpStatus: null,
    createdAt: change.now,
    startedAt: null,
    endedAt: null,
  };
  change.pending.insert('ToolCall', call);
  const value = JSON.stringify({ index: call.index, kind: call.kind.toLowerCase(), name: call.name });
  change.log({ type: 'TOOL_CALL_STARTED', runId: step.runId, stepId: step.id, toolCallId: call.id, value });
  return call;
}
