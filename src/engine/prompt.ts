import type { LanguageModelV4Message, LanguageModelV4Prompt } from '@ai-sdk/provider';
import type { Offload } from '../offload/offload.ts';
import type { Transcript, Unit } from './transcript.ts';

/** How many tokens a prompt may have; null: no limit is known. */
export interface PromptLimits {
  /** What the model can hold, prompt and answer together. */
  contextWindow: number | null;
  /** What the run may still read. */
  remaining: number | null;
  /** What the answer may come to. */
  answer: number | null;
}

/** What a model is told, and how many messages it is not told. */
export interface Prompt {
  prompt: LanguageModelV4Prompt;
  omittedMessages: number;
  /** The tokens of the prompt, where they had to be counted, else an upper bound; null: nobody asked. */
  tokens: number | null;
  /** Not even the least that must be told is within what the run may still read. */
  isTooLong: boolean;
}

/** Beside its text, a message has its role and its ends. */
const messageTokens = 4;
/** What providers count for an image of middling size. */
const imageTokens = 1000;
/** What is kept free for an answer whose length nobody has limited. */
const usualAnswer = 4096;
/** Models count otherwise than the encoding that is counted with here; Qwen's counts are within so much of it. */
const tolerance = 1.1;
/**
 * Makes the prompt of a transcript: all of it where it fits, else without the oldest that is not pinned, as much as need
 * be. Tokens are counted only where the number of bytes, of which each token has one at least, does not tell already;
 * then with a tokenizer (o200k_base), because the provider's own count comes with its answer, too late to fit a prompt by.
 */
export async function fitPrompt(
  { offload, owner }: { offload: Offload; owner: string },
  transcript: Transcript,
  toolTexts: string[],
  limits: PromptLimits,
): Promise<Prompt> {
  const { units, omittedMessages } = transcript;
  const budget = budgetOf(limits);
  const whole = { prompt: told(transcript, units), omittedMessages, tokens: null, isTooLong: false };
  if (budget === null) return whole;
  const fixedTexts = [...toolTexts, transcript.instructions ?? ''];
  const bytes = [...fixedTexts, ...units.map(textOf)].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const atMost = bytes + units.reduce((sum, unit) => sum + overheadOf(unit), messageTokens);
  if (atMost <= budget) return { ...whole, tokens: atMost };

  const pinned = units.filter(({ isPinned }) => isPinned);
  // Beyond the budget it does not matter by how much.
  const fixed = await offload.countTokens(owner, [...fixedTexts, ...pinned.map(textOf)], budget);
  const overhead = pinned.reduce((sum, unit) => sum + overheadOf(unit), messageTokens);
  const least = fixed.reduce((sum, count) => sum + count, overhead);
  const { kept, tokens } = await keepNewest({ offload, owner }, units, budget, least);
  return {
    prompt: told(transcript, kept),
    omittedMessages: omittedMessages + messagesIn(units) - messagesIn(kept),
    tokens,
    isTooLong: limits.remaining !== null && least > limits.remaining,
  };
}

function budgetOf({ contextWindow, remaining, answer }: PromptLimits): number | null {
  if (contextWindow === null) return remaining;
  // An answer may claim half of the window at most: what is asked must be told, too.
  const free = Math.min(answer ?? usualAnswer, Math.floor(contextWindow / 2));
  const room = Math.floor((contextWindow - free) / tolerance);
  return remaining === null ? room : Math.min(room, remaining);
}

/** All that is pinned, and of the rest the newest that fit. */
async function keepNewest(
  { offload, owner }: { offload: Offload; owner: string },
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
    const all = count + overheadOf(unit);
    if (tokens + all > budget) break;
    tokens += all;
    kept.add(unit);
  }
  return { kept: fromUser(units, kept), tokens };
}

/** A conversation whose start is left out does not start with an answer: not every model takes that. */
function fromUser(units: Unit[], kept: Set<Unit>): Unit[] {
  const inOrder = units.filter((unit) => kept.has(unit));
  if (inOrder.length === units.length) return inOrder;
  const isSystem = ({ told }: Unit) => told[0]?.role === 'system';
  const start = inOrder.findIndex((unit) => !isSystem(unit) && (unit.isPinned || unit.told[0]?.role === 'user'));
  return inOrder.filter((unit, index) => index >= start || isSystem(unit));
}

const messagesIn = (units: Unit[]) => units.filter(({ kind }) => kind === 'message').length;

function told({ instructions }: Transcript, units: Unit[]): LanguageModelV4Prompt {
  const system = instructions === null ? [] : [{ role: 'system' as const, content: instructions }];
  return [...system, ...units.flatMap((unit) => unit.told)];
}

function overheadOf({ told }: Unit): number {
  const images = told.flatMap(({ content }) => (typeof content === 'string' ? [] : (content as object[])));
  const count = images.filter((part) => 'mediaType' in part).length;
  return told.length * messageTokens + count * imageTokens;
}

const textOf = ({ told }: Unit): string => told.map(textOfMessage).join('\n');

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
