import type { LanguageModelV4Message, LanguageModelV4Prompt } from '@ai-sdk/provider';
import type { Offload, TaskOwner } from '../offload/offload.ts';
import { engineLimits } from './limits.ts';
import type { Transcript, Unit } from './transcript.ts';

/** The limits of a prompt, in tokens; null: unknown or unlimited. */
export interface PromptLimits {
  /** The context window of the model: prompt and answer together. */
  contextWindow: number | null;
  /** What is left of `maxPromptTokens`. */
  remaining: number | null;
  /** The limit of the answer. */
  answer: number | null;
}

/** A prompt, and the number of messages that are not part of it. */
export interface Prompt {
  prompt: LanguageModelV4Prompt;
  omittedMessages: number;
  /** The tokens of the prompt: counted if the limits required it, else an upper bound; null: there are no limits. */
  tokens: number | null;
  /** Even the pinned units exceed what is left of `maxPromptTokens`. */
  isTooLong: boolean;
}

/** The overhead of a message: its role and its delimiters. */
const messageTokens = 4;
/** What providers count for an image of medium size. */
const imageTokens = 1000;
/** The factor between the counts of a model and those of o200k_base; the counts of Qwen stay within it. */
const tolerance = 1.1;
/**
 * Makes the prompt of a transcript. If it exceeds the limits, the oldest units that are not pinned are omitted. Tokens are
 * counted (with o200k_base) only if the number of bytes, an upper bound, exceeds the limits. The provider's own count cannot
 * be used: it arrives with the answer.
 */
export async function fitPrompt(
  { offload, owner }: { offload: Offload; owner: TaskOwner },
  transcript: Transcript,
  toolTexts: string[],
  limits: PromptLimits,
): Promise<Prompt> {
  const { units, omittedMessages } = transcript;
  const budget = budgetOf(limits);
  const whole = { prompt: promptOf(transcript, units), omittedMessages, tokens: null, isTooLong: false };
  if (budget === null) return whole;
  const fixedTexts = [...toolTexts, transcript.instructions ?? ''];
  const bytes = [...fixedTexts, ...units.map(textOf)].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const atMost = bytes + units.reduce((sum, unit) => sum + overheadOf(unit), messageTokens);
  if (atMost <= budget) return { ...whole, tokens: atMost };

  const pinned = units.filter(({ isPinned }) => isPinned);
  // Counting stops at the budget.
  const fixed = await offload.countTokens(owner, [...fixedTexts, ...pinned.map(textOf)], budget);
  const overhead = pinned.reduce((sum, unit) => sum + overheadOf(unit), messageTokens);
  const least = fixed.reduce((sum, count) => sum + count, overhead);
  const { kept, tokens } = await keepNewest({ offload, owner }, units, budget, least);
  return {
    prompt: promptOf(transcript, kept),
    omittedMessages: omittedMessages + messagesIn(units) - messagesIn(kept),
    tokens,
    isTooLong: limits.remaining !== null && least > limits.remaining,
  };
}

function budgetOf({ contextWindow, remaining, answer }: PromptLimits): number | null {
  if (contextWindow === null) return remaining;
  // An answer reserves at most half of the window: the question needs room, too.
  const free = Math.min(answer ?? engineLimits.defaultAnswerTokens, Math.floor(contextWindow / 2));
  const room = Math.floor((contextWindow - free) / tolerance);
  return remaining === null ? room : Math.min(room, remaining);
}

/** Returns the pinned units and the newest others that fit, in order. `least`: the tokens of the pinned ones. */
async function keepNewest(
  { offload, owner }: { offload: Offload; owner: TaskOwner },
  units: Unit[],
  budget: number,
  least: number,
) {
  const newestFirst = units.filter(({ isPinned }) => !isPinned).reverse();
  const counts =
    least > budget ? [] : await offload.countTokens(owner, newestFirst.map(textOf), Math.max(budget - least, 0));
  const kept = new Set(units.filter(({ isPinned }) => isPinned));
  let tokens = least;
  for (const [index, count] of counts.entries()) {
    const unit = newestFirst[index] as Unit;
    const size = count + overheadOf(unit);
    if (tokens + size > budget) break;
    tokens += size;
    kept.add(unit);
  }
  return { kept: fromUser(units, kept), tokens };
}

/** Omits leading answers if the start of the conversation is missing: not every model accepts a prompt that starts with one. */
function fromUser(units: Unit[], kept: Set<Unit>): Unit[] {
  const inOrder = units.filter((unit) => kept.has(unit));
  if (inOrder.length === units.length) return inOrder;
  const isSystem = ({ messages }: Unit) => messages[0]?.role === 'system';
  const start = inOrder.findIndex((unit) => !isSystem(unit) && (unit.isPinned || unit.messages[0]?.role === 'user'));
  return inOrder.filter((unit, index) => index >= start || isSystem(unit));
}

const messagesIn = (units: Unit[]) => units.filter(({ kind }) => kind === 'message').length;

function promptOf({ instructions }: Transcript, units: Unit[]): LanguageModelV4Prompt {
  const system = instructions === null ? [] : [{ role: 'system' as const, content: instructions }];
  return [...system, ...units.flatMap((unit) => unit.messages)];
}

function overheadOf({ messages }: Unit): number {
  const images = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : (content as object[])));
  const count = images.filter((part) => 'mediaType' in part).length;
  return messages.length * messageTokens + count * imageTokens;
}

const textOf = ({ messages }: Unit): string => messages.map(textOfMessage).join('\n');

function textOfMessage({ content }: LanguageModelV4Message): string {
  if (typeof content === 'string') return content;
  const texts = content.map((part) => {
    if (part.type === 'text' || part.type === 'reasoning') return part.text;
    if (part.type === 'tool-call') return `${part.toolName} ${JSON.stringify(part.input)}`;
    if (part.type === 'tool-result') return 'value' in part.output ? String(part.output.value) : '';
    return '';
  });
  return texts.join('\n');
}
