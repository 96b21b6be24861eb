import type { Prisma, Run } from '../db/generated/client.ts';
import { addUsage, costOf, noUsage, type Usage, usageOf } from '../domain/run/usage.ts';
import type { ModelInfo } from '../providers/model-catalog.ts';

/** What a run has used so far, in this execution and before it. */
export class RunUsage {
  readonly #model: ModelInfo;
  #usage: Usage | null;
  #generationMs: number | null;
  #omittedMessages: number;
  /** What was told where the provider does not say what it read. */
  #promptTokensSent = 0;

  constructor(run: Run, model: ModelInfo) {
    this.#model = model;
    const before = usageOf(run);
    this.#usage = before && { ...noUsage, ...pick(before) };
    this.#generationMs = run.generationMs;
    this.#omittedMessages = run.omittedMessages;
  }

  /** Adds an answer of the model; `usage` null: the provider did not say. */
  add(usage: Usage | null, generationMs: number): void {
    if (usage) this.#usage = addUsage(this.#usage ?? noUsage, usage);
    this.#generationMs = (this.#generationMs ?? 0) + Math.round(generationMs);
  }

  /** Notes what the model is about to be told. */
  recordPrompt(told: { omittedMessages: number; tokens: number | null }): void {
    this.#omittedMessages = told.omittedMessages;
    this.#promptTokensSent += told.tokens ?? 0;
  }

  get promptTokens(): number {
    return this.#usage?.promptTokens ?? this.#promptTokensSent;
  }

  get completionTokens(): number {
    return this.#usage?.completionTokens ?? 0;
  }

  /** What a step costs, as a decimal text; null for a model without a price. */
  costOf(usage: Usage): string | null {
    return costOf(usage, this.#model);
  }

  /** What goes into the row of the run. */
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
