import type { Run, Step, StepStatus, StepType, ToolCall } from '../db/generated/client.ts';
import { newId } from '../id.ts';
import type { DomainContext } from './context.ts';
import type { ThreadChange } from './journal.ts';
import { readPiecesOfRun, textId } from './piece.ts';
import type { RunFault } from './run.ts';
import type { Usage } from './usage.ts';

/** A step that is open, with the calls it has. */
export type OpenStep = Step & { toolCalls: ToolCall[] };

/** How a step ends, and its message with it. */
export interface StepOutcome {
  status: Exclude<StepStatus, 'IN_PROGRESS'>;
  /** Why the message is incomplete; null: it is complete. */
  incompleteReason: string | null;
  error?: RunFault | null;
  usage?: Usage | null;
  /** In US dollars, as a decimal text. */
  cost?: string | null;
}

/** The step of the run that has not ended, if any. */
export async function findOpenStep(change: ThreadChange, runId: string): Promise<OpenStep | null> {
  return change.tx.step.findFirst({
    where: { runId, status: 'IN_PROGRESS' },
    include: { toolCalls: { orderBy: { index: 'asc' } } },
  });
}

/** Opens a step of the run. It is announced when its kind is known: by its message or its first call. */
export async function openStep(
  ctx: DomainContext,
  change: ThreadChange,
  runId: string,
  index: number,
  messageId: string | null = null,
): Promise<OpenStep> {
  const step = await change.tx.step.create({
    data: {
      workspaceId: ctx.workspaceId,
      id: newId('Step'),
      runId,
      index,
      messageId,
      type: 'MESSAGE_CREATION',
      createdAt: change.now,
      startedAt: change.now,
    },
  });
  return { ...step, toolCalls: [] };
}

/** Tells followers that a reasoning text grows on the step. */
export function startReasoning(change: ThreadChange, step: Step): void {
  change.log({ type: 'REASONING_STARTED', runId: step.runId, stepId: step.id });
}

/** Tells followers that the step has started, now that it is known what it is. */
async function announceStep(change: ThreadChange, step: Step, type: StepType): Promise<void> {
  if (type !== step.type) await change.tx.step.updateMany({ where: { id: step.id }, data: { type } });
  change.log({ type: 'STEP_STARTED', runId: step.runId, stepId: step.id, value: type });
}

/** Opens a message, on a step that is open or on a new one of that index; returns its id. */
export async function startMessage(
  ctx: DomainContext,
  change: ThreadChange,
  run: Run,
  at: OpenStep | number,
): Promise<string> {
  const id = newId('Message');
  await change.tx.message.create({
    data: {
      workspaceId: ctx.workspaceId,
      id,
      threadId: run.threadId,
      runId: run.id,
      assistantId: run.assistantId,
      role: 'ASSISTANT',
      status: 'IN_PROGRESS',
      position: change.position(),
      createdAt: change.now,
    },
    select: { id: true },
  });
  const isNew = typeof at === 'number';
  const step = isNew ? await openStep(ctx, change, run.id, at, id) : at;
  if (!isNew) await change.tx.step.updateMany({ where: { id: step.id }, data: { messageId: id } });
  await announceStep(change, step, 'MESSAGE_CREATION');
  change.thread.lastActiveAt = change.now;
  change.log({ type: 'MESSAGE_STARTED', runId: run.id, stepId: step.id, messageId: id });
  return id;
}

/** Opens a call on the step, announcing the step with the first one; returns the row. */
export async function startToolCall(
  ctx: DomainContext,
  change: ThreadChange,
  step: OpenStep,
  name: string,
): Promise<ToolCall> {
  if (step.toolCalls.length === 0) await announceStep(change, step, 'TOOL_CALLS');
  const call = await change.tx.toolCall.create({
    data: {
      workspaceId: ctx.workspaceId,
      id: newId('ToolCall'),
      stepId: step.id,
      index: step.toolCalls.length,
      kind: 'FUNCTION',
      name,
      createdAt: change.now,
    },
  });
  const value = JSON.stringify({ index: call.index, kind: 'function', name });
  change.log({ type: 'TOOL_CALL_STARTED', runId: step.runId, stepId: step.id, toolCallId: call.id, value });
  return call;
}

/** Ends the open step of a run, if there is one, with its message and calls. Texts not given are read from the pieces. */
export async function closeOpenStep(
  change: ThreadChange,
  runId: string,
  outcome: StepOutcome,
  texts?: Map<string, string>,
): Promise<void> {
  const step = await findOpenStep(change, runId);
  if (!step) return;
  const grown = texts ?? (await readPiecesOfRun(change.tx, runId));
  const isAnnounced = step.messageId !== null || step.toolCalls.length > 0;
  if (!isAnnounced) await announceStep(change, step, step.type);
  if (step.messageId) {
    await endMessage(change, step, outcome, grown.get(textId({ ownerId: step.messageId, channel: 'TEXT' })) ?? '');
  }
  for (const call of step.toolCalls) await endToolCall(change, call, outcome, grown);
  const { error, usage, cost } = outcome;
  const reasoning = grown.get(textId({ ownerId: step.id, channel: 'REASONING' })) ?? step.reasoning;
  await change.tx.step.updateMany({
    where: { id: step.id },
    data: {
      status: outcome.status,
      reasoning,
      endedAt: change.now,
      ...(error ? { errorCode: error.code, errorMessage: error.message, errorRetryable: error.retryable } : {}),
      ...usage,
      ...(cost === undefined ? {} : { cost }),
    },
  });
  const hasTexts = reasoning !== '' || step.toolCalls.length > 0;
  const closes = hasTexts ? { stepId: step.id } : undefined;
  change.log({ type: 'STEP_ENDED', runId, stepId: step.id, value: outcome.status }, closes);
  await change.tx.piece.deleteMany({ where: { runId } });
}

async function endMessage(change: ThreadChange, step: Step, outcome: StepOutcome, text: string): Promise<void> {
  const status = outcome.incompleteReason === null ? ('COMPLETED' as const) : ('INCOMPLETE' as const);
  await change.tx.message.updateMany({
    where: { id: step.messageId as string },
    data: {
      text,
      status,
      incompleteReason: outcome.incompleteReason,
      completedAt: status === 'COMPLETED' ? change.now : null,
    },
  });
  const messageId = step.messageId as string;
  change.log({ type: 'MESSAGE_ENDED', runId: step.runId, stepId: step.id, messageId, value: status }, { messageId });
}

async function endToolCall(
  change: ThreadChange,
  call: ToolCall,
  outcome: StepOutcome,
  texts: Map<string, string>,
): Promise<void> {
  if (call.status !== 'IN_PROGRESS') return;
  const { error } = outcome;
  await change.tx.toolCall.updateMany({
    where: { id: call.id },
    data: {
      status: outcome.status,
      arguments: call.arguments || (texts.get(textId({ ownerId: call.id, channel: 'ARGUMENTS' })) ?? ''),
      endedAt: change.now,
      ...(error ? { errorCode: error.code, errorMessage: error.message, errorRetryable: error.retryable } : {}),
    },
  });
}
