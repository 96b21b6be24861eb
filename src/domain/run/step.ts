import type { Prisma, Run, Step, StepStatus, StepType, ToolCall } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import type { DomainContext } from '../context.ts';
import type { RunFault } from '../error.ts';
import { readDeltasOfRun, storable, textId } from '../log/growing-text.ts';
import type { ThreadChange } from '../log/thread-change.ts';
import { annotationsOf, readSources } from '../thread/annotation.ts';
import { filesIn, type MessagePart } from '../thread/content.ts';
import { emptyMessage } from '../thread/message.ts';
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
    createdAt: change.now,
    startedAt: change.now,
    endedAt: null,
    ...nothingYet,
  };
  change.pending.insert('Step', step);
  return { ...step, toolCalls: [] };
}

const noError = { errorCode: null, errorMessage: null, errorRetryable: null } as const;
const nothingYet = {
  ...noError,
  promptTokens: null,
  completionTokens: null,
  reasoningTokens: null,
  cachedTokens: null,
  cost: null,
} as const;

/** Tells followers that a reasoning text grows on the step. */
export function startReasoning(change: ThreadChange, step: Step): void {
  change.log({ type: 'REASONING_STARTED', runId: step.runId, stepId: step.id });
}

/** Tells followers that the step has started, now that it is known what it is. */
function announceStep(change: ThreadChange, step: Step, type: StepType): void {
  if (type !== step.type) change.pending.update('Step', step.id, { type });
  step.type = type;
  change.log({ type: 'STEP_STARTED', runId: step.runId, stepId: step.id, value: type });
}

/** Opens a message, on a step that is open or on a new one of that index; returns the step, with the message's id. */
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

/** Opens a call on the step, announcing the step with the first one; returns the row. */
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

/**
 * Ends the open step of a run, if there is one, with its message and calls. Texts not given are read from the pieces; a
 * step not given is looked for.
 */
export async function closeOpenStep(
  change: ThreadChange,
  runId: string,
  outcome: StepOutcome,
  texts?: Map<string, string>,
  openStep?: OpenStep | null,
): Promise<void> {
  const step = openStep === undefined ? await findOpenStep(change, runId) : openStep;
  if (!step) return;
  const grown = texts ?? (await readDeltasOfRun(change.tx, runId));
  const isAnnounced = step.messageId !== null || step.toolCalls.length > 0;
  if (!isAnnounced) announceStep(change, step, step.type);
  if (step.messageId) {
    const text = grown.get(textId({ ownerId: step.messageId, channel: 'TEXT' })) ?? '';
    // The tools of the steps before it have left what it may name, and show.
    const named = step.index > 0 ? await namedBy(change, step, text) : {};
    endMessage(change, step, outcome, text, named);
  }
  for (const call of step.toolCalls) endToolCall(change, call, outcome, grown);
  const { error, usage, cost } = outcome;
  const reasoning = grown.get(textId({ ownerId: step.id, channel: 'REASONING' })) ?? step.reasoning;
  change.pending.update('Step', step.id, {
    status: outcome.status,
    reasoning,
    endedAt: change.now,
    ...(error ? { errorCode: error.code, errorMessage: error.message, errorRetryable: error.retryable } : {}),
    ...usage,
    ...(cost === undefined ? {} : { cost }),
  });
  const hasTexts = reasoning !== '' || step.toolCalls.length > 0;
  change.log({ type: 'STEP_ENDED', runId, stepId: step.id, value: outcome.status }, { hasTexts });
  change.pending.deleteDeltas(runId);
}

/** The columns of a message that come from what the tools of its run have left: marks, and pictures that it shows first. */
async function namedBy(
  change: ThreadChange,
  { runId, messageId }: Step,
  text: string,
): Promise<Pick<Prisma.MessageUncheckedCreateInput, 'annotations' | 'parts'>> {
  const sources = await readSources(change.tx, runId);
  const annotations = annotationsOf(text, sources);
  const shown = await change.tx.message.findMany({
    where: { runId, id: { not: messageId as string } },
    select: { parts: true },
  });
  const before = new Set(shown.flatMap(({ parts }) => filesIn(parts as MessagePart[] | null)));
  const pictures = sources.pictures.filter(({ id }) => !before.has(id));
  const parts: MessagePart[] = [
    { type: 'text', text },
    ...pictures.map(({ id }) => ({ type: 'file' as const, fileId: id, detail: null })),
  ];
  return {
    ...(annotations.length > 0 ? { annotations: annotations as unknown as Prisma.InputJsonValue } : {}),
    ...(pictures.length > 0 ? { parts: parts as unknown as Prisma.InputJsonValue } : {}),
  };
}

function endMessage(change: ThreadChange, step: Step, outcome: StepOutcome, text: string, named: object): void {
  const status = outcome.incompleteReason === null ? ('COMPLETED' as const) : ('INCOMPLETE' as const);
  const messageId = step.messageId as string;
  const { incompleteReason } = outcome;
  const ended = { ...named, text, status, incompleteReason, completedAt: status === 'COMPLETED' ? change.now : null };
  change.pending.update('Message', messageId, ended);
  const entry = { type: 'MESSAGE_ENDED', runId: step.runId, stepId: step.id, messageId, value: status } as const;
  change.log(entry, { message: ended });
}

function endToolCall(change: ThreadChange, call: ToolCall, outcome: StepOutcome, texts: Map<string, string>): void {
  if (call.status !== 'IN_PROGRESS') return;
  const { error } = outcome;
  const output = call.output ?? texts.get(textId({ ownerId: call.id, channel: 'OUTPUT' })) ?? null;
  change.pending.update('ToolCall', call.id, {
    status: outcome.status,
    output,
    arguments: call.arguments || (texts.get(textId({ ownerId: call.id, channel: 'ARGUMENTS' })) ?? ''),
    endedAt: change.now,
    ...(error ? { errorCode: error.code, errorMessage: error.message, errorRetryable: error.retryable } : {}),
  });
}
