import type {
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4TextPart,
} from '@ai-sdk/provider';
import type { Run, Step, ToolCall } from '../db/generated/client.ts';
import type { DomainContext } from '../domain/context.ts';
import { runLimits } from '../domain/limits.ts';
import { clientFailure } from '../domain/run/tool-outputs.ts';
import { partsOf } from '../domain/thread/content.ts';
import { type PromptMessage, readConversation } from '../domain/thread/run-context.ts';
import { PromptFiles } from './prompt-files.ts';

type StepOfRun = Step & { toolCalls: ToolCall[] };

/** A part of a prompt, included or omitted as a whole: a message of the thread, or a step with its calls and their results. */
export interface Unit {
  messages: LanguageModelV4Message[];
  kind: 'message' | 'step';
  /** Never omitted: system messages, the message to answer, and the last step. */
  isPinned: boolean;
}

/** What the model may read, in order. */
export interface Transcript {
  instructions: string | null;
  units: Unit[];
  /** How many messages the run's truncation has omitted. */
  omittedMessages: number;
}

/**
 * Reads the transcript of a run: the instructions, the conversation up to the run's creation, and the completed steps of the
 * run. Messages created after the run are not included, even if they precede an answer of the run in the thread.
 */
export async function readTranscript(ctx: DomainContext, run: Run, hasSteps: boolean): Promise<Transcript> {
  const { messages: seen, omitted } = await readConversation(ctx, run);
  const earlier = seen.filter(({ runId }) => runId !== run.id);
  const last = run.truncation === 'LAST_MESSAGES' ? (run.truncationLastMessages ?? 0) : earlier.length;
  const kept = earlier.filter(({ role }, index) => role === 'SYSTEM' || index >= earlier.length - last);
  const own = new Map(seen.filter(({ runId }) => runId === run.id).map((message) => [message.id, message]));
  const units: Unit[] = [];
  const files = new PromptFiles(ctx);
  // The newest first: if the images exceed the limit, the oldest are omitted.
  for (const [index, message] of [...kept.entries()].reverse()) {
    units.unshift({
      messages: await messageForModel(files, message),
      kind: 'message',
      isPinned: message.role === 'SYSTEM' || index === kept.length - 1,
    });
  }
  const steps = hasSteps ? await readSteps(ctx, run, own, files) : [];
  return {
    instructions: run.instructions || null,
    units: [...units, ...steps],
    omittedMessages: omitted + earlier.length - kept.length,
  };
}

async function messageForModel(files: PromptFiles, message: PromptMessage): Promise<LanguageModelV4Message[]> {
  if (message.role === 'SYSTEM') return [{ role: 'system', content: message.text }];
  if (message.role === 'ASSISTANT') {
    return message.text === '' ? [] : [{ role: 'assistant', content: [{ type: 'text', text: message.text }] }];
  }
  const content: Array<LanguageModelV4TextPart | LanguageModelV4FilePart> = [];
  for (const part of partsOf(message)) {
    if (part.type === 'text') content.push({ type: 'text', text: part.text });
    if (part.type === 'image') content.push(imageForModel(part.url));
    if (part.type === 'file') content.push(await files.part(message.files, part.fileId));
  }
  const attached = message.files.filter(({ isAttachment }) => isAttachment).map(({ name }) => name);
  if (attached.length > 0) content.push({ type: 'text', text: `[Attached files: ${attached.join(', ')}]` });
  return [{ role: 'user', content }];
}

function imageForModel(url: string): LanguageModelV4FilePart {
  const data = /^data:(image\/[a-z]+);base64,(.*)$/s.exec(url);
  if (data) return { type: 'file', mediaType: data[1] as string, data: { type: 'data', data: data[2] as string } };
  return { type: 'file', mediaType: 'image/*', data: { type: 'url', url: new URL(url) } };
}

/** The completed steps of a run: the messages that it wrote, and its calls with their results. */
async function readSteps(
  ctx: DomainContext,
  run: Run,
  own: Map<string, PromptMessage>,
  files: PromptFiles,
): Promise<Unit[]> {
  const steps = await ctx.db.step.findMany({
    where: { id: { in: await newestSteps(ctx, run.id) } },
    include: { toolCalls: { orderBy: { index: 'asc' } } },
    orderBy: { index: 'asc' },
  });
  const units: Unit[] = [];
  for (const [index, step] of steps.entries()) {
    const message = step.messageId ? own.get(step.messageId) : undefined;
    const messages =
      step.type === 'TOOL_CALLS' ? callsForModel(step) : message ? await messageForModel(files, message) : [];
    units.push({ messages, kind: 'step', isPinned: index === steps.length - 1 });
  }
  return units;
}

/** The IDs of the completed steps of a run whose calls fit together into `runLimits.stepBytes`: the newest, at least one. */
async function newestSteps(ctx: DomainContext, runId: string): Promise<string[]> {
  const steps = await ctx.db.$queryRaw<Array<{ id: string }>>`
    SELECT s."id" FROM (
      SELECT s."id", sum(c."bytes") OVER newer - c."bytes" AS "newer"
      FROM "Step" s CROSS JOIN LATERAL (
        SELECT coalesce(sum(octet_length(t."arguments") + coalesce(octet_length(t."output"), 0)), 0) AS "bytes"
        FROM "ToolCall" t WHERE t."workspaceId" = s."workspaceId" AND t."stepId" = s."id"
      ) c
      WHERE s."workspaceId" = ${ctx.workspaceId} AND s."runId" = ${runId} AND s."status" = 'COMPLETED'
      WINDOW newer AS (ORDER BY s."index" DESC)
    ) s WHERE s."newer" < ${runLimits.stepBytes}`;
  return steps.map(({ id }) => id);
}

function callsForModel({ toolCalls, surplusCalls }: StepOfRun): LanguageModelV4Prompt {
  const calls = toolCalls.map(({ id, name, arguments: text }) => ({
    type: 'tool-call' as const,
    toolCallId: id,
    toolName: name,
    input: parsedArguments(text) ?? {},
  }));
  const results = toolCalls.map(({ id, name, output, status, errorMessage }, index) => {
    // Every call of a prompt needs an output. The surplus calls are not part of it: the last output reports them.
    const note = index === toolCalls.length - 1 ? surplusNote(surplusCalls, toolCalls.length) : '';
    const failure = { type: 'error-text' as const, value: failureFor(output, errorMessage) + note };
    const result = status === 'FAILED' ? failure : { type: 'text' as const, value: (output ?? '') + note };
    return { type: 'tool-result' as const, toolCallId: id, toolName: name, output: result };
  });
  return [
    { role: 'assistant', content: calls },
    { role: 'tool', content: results },
  ];
}

const surplusNote = (surplus: number, made: number) =>
  surplus === 0
    ? ''
    : `\n[Error: ${surplus} further calls of this answer were not made. An answer can contain ${made} calls. Make the others in the next answers.]`;

/** The output of a failed call, and the reason unless the output already contains it: a client's reason is its output. */
function failureFor(output: string | null, reason: string | null): string {
  if (!output) return reason ?? '';
  return reason === null || reason === output || reason === clientFailure ? output : `${output}\n${reason}`;
}

/** Parses the arguments of a call. Returns null if they are not a JSON object; an empty text means no arguments. */
export function parsedArguments(text: string): Record<string, unknown> | null {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
