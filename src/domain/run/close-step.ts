import type { Message, Prisma, Step, StepStatus, ToolCall } from '../../db/generated/client.ts';
import type { RunFault } from '../error.ts';
import { readDeltasOfRun, textId } from '../log/growing-text.ts';
import type { ThreadChange } from '../log/thread-change.ts';
import { annotationsOf, readSources } from '../thread/annotation.ts';
import { filesIn, type MessagePart } from '../thread/content.ts';
import { announceStep, findOpenStep, type OpenStep } from './step.ts';
import type { Usage } from './usage.ts';

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

/** The final texts of a step. */
interface StepTexts {
  message: string;
  reasoning: string;
  argumentsOf(call: ToolCall): string;
  outputOf(call: ToolCall): string | null;
}

/**
 * Ends the open step of a run, if there is one, with its message and calls. `texts`: the growing texts by `textId`; absent:
 * they are read from the deltas. `open`: the open step, null where none is open; absent: it is read.
 */
export async function closeOpenStep(
  change: ThreadChange,
  runId: string,
  outcome: StepOutcome,
  texts?: Map<string, string>,
  open?: OpenStep | null,
): Promise<void> {
  const step = open === undefined ? await findOpenStep(change, runId) : open;
  if (!step) return;
  const final = textsOf(step, texts ?? (await readDeltasOfRun(change.tx, step.workspaceId, runId)));
  const isAnnounced = step.messageId !== null || step.toolCalls.length > 0;
  if (!isAnnounced) announceStep(change, step, step.type);
  if (step.messageId) await closeMessage(change, step, outcome, final.message);
  for (const call of step.toolCalls) closeToolCall(change, call, outcome, final);
  const { status, error, usage, cost } = outcome;
  change.pending.update('Step', step.id, {
    status,
    reasoning: final.reasoning,
    endedAt: change.now,
    ...errorColumns(error),
    ...usage,
    ...(cost === undefined ? {} : { cost }),
  });
  const hasTexts = final.reasoning !== '' || step.toolCalls.length > 0;
  change.log({ type: 'STEP_ENDED', runId, stepId: step.id, value: status }, { hasTexts });
  change.pending.deleteDeltas(runId);
}

function textsOf(step: OpenStep, grown: Map<string, string>): StepTexts {
  const find = (ownerId: string | null, channel: Parameters<typeof textId>[0]['channel']) =>
    grown.get(textId({ ownerId: ownerId ?? '', channel }));
  return {
    message: find(step.messageId, 'TEXT') ?? '',
    reasoning: find(step.id, 'REASONING') ?? step.reasoning,
    argumentsOf: (call) => call.arguments || (find(call.id, 'ARGUMENTS') ?? ''),
    outputOf: (call) => call.output ?? find(call.id, 'OUTPUT') ?? null,
  };
}

const errorColumns = (error: RunFault | null | undefined) =>
  error ? { errorCode: error.code, errorMessage: error.message, errorRetryable: error.retryable } : {};

async function closeMessage(change: ThreadChange, step: Step, outcome: StepOutcome, text: string): Promise<void> {
  const messageId = step.messageId as string;
  const { incompleteReason } = outcome;
  const status = incompleteReason === null ? ('COMPLETED' as const) : ('INCOMPLETE' as const);
  // Only the tools of earlier steps leave files and search results that a message can refer to.
  const references = step.index > 0 ? await referencesOf(change, step, text) : {};
  const completedAt = status === 'COMPLETED' ? change.now : null;
  const ended = { ...references, text, status, incompleteReason, completedAt };
  change.pending.update('Message', messageId, ended);
  const entry = { type: 'MESSAGE_ENDED', runId: step.runId, stepId: step.id, messageId, value: status } as const;
  change.log(entry, { message: ended });
}

/**
 * The columns of a message that refer to the results of its run's tools: annotations, and images that no message shows
 * yet.
 */
async function referencesOf(
  change: ThreadChange,
  { runId, messageId }: Step,
  text: string,
): Promise<Partial<Pick<Message, 'annotations' | 'parts'>>> {
  const sources = await readSources(change.tx, runId);
  const annotations = annotationsOf(text, sources);
  const others = await change.tx.message.findMany({
    where: { runId, id: { not: messageId as string } },
    select: { parts: true },
  });
  const shown = new Set(others.flatMap(({ parts }) => filesIn(parts as MessagePart[] | null)));
  const images = sources.images.filter(({ id }) => !shown.has(id));
  const parts: MessagePart[] = [
    { type: 'text', text },
    ...images.map(({ id }) => ({ type: 'file' as const, fileId: id, detail: null })),
  ];
  return {
    ...(annotations.length > 0 ? { annotations: annotations as unknown as Prisma.JsonValue } : {}),
    ...(images.length > 0 ? { parts: parts as unknown as Prisma.JsonValue } : {}),
  };
}

function closeToolCall(change: ThreadChange, call: ToolCall, { status, error }: StepOutcome, texts: StepTexts): void {
  if (call.status !== 'IN_PROGRESS') return;
  change.pending.update('ToolCall', call.id, {
    status,
    output: texts.outputOf(call),
    arguments: texts.argumentsOf(call),
    endedAt: change.now,
    ...errorColumns(error),
  });
}
