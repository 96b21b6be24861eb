import type {
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4TextPart,
} from '@ai-sdk/provider';
import type { Run, Step, ToolCall } from '../db/generated/client.ts';
import type { DomainContext } from '../domain/context.ts';
import { clientFailure } from '../domain/run/tool-outputs.ts';
import { partsOf } from '../domain/thread/content.ts';
import { type PromptMessage, readConversation } from '../domain/thread/run-context.ts';
import { PromptFiles } from './prompt-files.ts';

type StepOfRun = Step & { toolCalls: ToolCall[] };

/** What is told whole or not at all: a message of the thread, or a step of the run with its calls and their results. */
export interface Unit {
  told: LanguageModelV4Message[];
  kind: 'message' | 'step';
  /** It is told whatever else is left out: system messages, what is to be answered, and what was done last. */
  isPinned: boolean;
}

/** What there is to tell the model, in order. */
export interface Transcript {
  instructions: string | null;
  units: Unit[];
  /** How many messages the run's own truncation has left out. */
  omittedMessages: number;
}

/**
 * What there is to tell: the instructions, the conversation as this run sees it, and what the run has done so far.
 *
 * The answer to a run stands behind the messages that the run was created with, also where later messages came in
 * while it was being written; messages that came after the run was created are not in its transcript.
 */
export async function readTranscript(ctx: DomainContext, run: Run, hasSteps: boolean): Promise<Transcript> {
  const { messages: seen, omitted } = await readConversation(ctx, run);
  const earlier = seen.filter(({ runId }) => runId !== run.id);
  const last = run.truncation === 'LAST_MESSAGES' ? (run.truncationLastMessages ?? 0) : earlier.length;
  const kept = earlier.filter(({ role }, index) => role === 'SYSTEM' || index >= earlier.length - last);
  const own = new Map(seen.filter(({ runId }) => runId === run.id).map((message) => [message.id, message]));
  const messages: Unit[] = [];
  const files = new PromptFiles(ctx);
  // The newest first: their pictures are told rather than those of long ago.
  for (const [index, message] of [...kept.entries()].reverse()) {
    messages.unshift({
      told: await messageForModel(files, message),
      kind: 'message',
      isPinned: message.role === 'SYSTEM' || index === kept.length - 1,
    });
  }
  const steps = hasSteps ? await readSteps(ctx, run, own, files) : [];
  return {
    instructions: run.instructions || null,
    units: [...messages, ...steps],
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

/** What the run has done: the messages it wrote, and its calls with what they answered. Steps that failed are left out. */
async function readSteps(
  ctx: DomainContext,
  run: Run,
  own: Map<string, PromptMessage>,
  files: PromptFiles,
): Promise<Unit[]> {
  const steps = await ctx.db.step.findMany({
    where: { runId: run.id, status: 'COMPLETED' },
    include: { toolCalls: { orderBy: { index: 'asc' } } },
    orderBy: { index: 'asc' },
  });
  const units: Unit[] = [];
  for (const [index, step] of steps.entries()) {
    const message = step.messageId ? own.get(step.messageId) : undefined;
    const told =
      step.type === 'TOOL_CALLS' ? callsForModel(step) : message ? await messageForModel(files, message) : [];
    units.push({ told, kind: 'step', isPinned: index === steps.length - 1 });
  }
  return units;
}

function callsForModel({ toolCalls }: StepOfRun): LanguageModelV4Prompt {
  const calls = toolCalls.map(({ id, name, arguments: text }) => ({
    type: 'tool-call' as const,
    toolCallId: id,
    toolName: name,
    input: parsedArguments(text) ?? {},
  }));
  const results = toolCalls.map(({ id, name, output, status, errorMessage }) => ({
    type: 'tool-result' as const,
    toolCallId: id,
    toolName: name,
    output:
      status === 'FAILED'
        ? { type: 'error-text' as const, value: failureFor(output, errorMessage) }
        : { type: 'text' as const, value: output ?? '' },
  }));
  return [
    { role: 'assistant', content: calls },
    { role: 'tool', content: results },
  ];
}

/** What a failed call wrote, and why it failed; a client's own words of it are in its output. */
function failureFor(output: string | null, why: string | null): string {
  if (!output) return why ?? '';
  return why === null || why === output || why === clientFailure ? output : `${output}\n${why}`;
}

/** The arguments of a call as an object; null when they are no JSON object. An empty text stands for no arguments. */
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
