import type { Prisma, Run } from '../db/generated/client.ts';
import { addUsage, costOf, noUsage, type Usage, usageOf } from '../domain/run/usage.ts';
import type { ModelInfo } from '../providers/model-catalog.ts';

/** The usage of a run so far, including earlier executions. */
export class RunUsage {
  readonly #model: ModelInfo;
  #usage: Usage | null;
  #generationMs: number | null;
  #omittedMessages: number;
  /** The tokens of the prompts sent, for providers that report no usage. */
  #promptTokensSent = 0;

  constructor(run: Run, model: ModelInfo) {
    this.#model = model;
    const before = usageOf(run);
    this.#usage = before && { ...noUsage, ...pick(before) };
    this.#generationMs = run.generationMs;
    this.#omittedMessages = run.omittedMessages;
  }

  /** Adds an answer of the model; `usage` null: the provider reported none. */
  add(usage: Usage | null, generationMs: number): void {
    if (usage) this.#usage = addUsage(this.#usage ?? noUsage, usage);
    this.#generationMs = (this.#generationMs ?? 0) + Math.round(generationMs);
  }

  /** Records the size of a prompt that is about to be sent; `tokens` null: not counted. */
  recordPrompt(size: { omittedMessages: number; tokens: number | null }): void {
    this.#omittedMessages = size.omittedMessages;
    this.#promptTokensSent += size.tokens ?? 0;
  }

  get promptTokens(): number {
    return this.#usage?.promptTokens ?? this.#promptTokensSent;
  }

  get completionTokens(): number {
    return this.#usage?.completionTokens ?? 0;
  }

  /** The cost of a usage in US dollars, as a decimal text; null for a model without a price. */
  costOf(usage: Usage): string | null {
    return costOf(usage, this.#model);
  }

  /** The columns of the run's row. */
  columns(): Prisma.RunUncheckedUpdateManyInput {
    const known = { generationMs: this.#generationMs, omittedMessages: this.#omittedMessages };
    return this.#usage ? { ...known, ...this.#usage, cost: this.costOf(this.#usage) } : known;
  }
}

const pick = ({ promptTokens, completionTokens, reasoningTokens, cachedTokens }: Usage): Usage => ({
  promptTokens,
  completionTokens,
  reasoningTokens,
  cachedTokens,
});
