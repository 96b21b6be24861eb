import type { ModelInfo } from '../../providers/model-catalog.ts';

/** Tokens of a step or a run. Cached tokens are part of the prompt's, reasoning tokens of the completion's. */
export interface Usage {
  promptTokens: number;
  completionTokens: number;
  reasoningTokens: number;
  cachedTokens: number;
}

/** Nothing used yet. */
export const noUsage: Usage = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0, cachedTokens: 0 };

/** The usage in a row, or null before anything was used. */
export function usageOf(row: { [name in keyof Usage]: number | null }): (Usage & { totalTokens: number }) | null {
  if (row.promptTokens === null && row.completionTokens === null) return null;
  const usage = addUsage(noUsage, {
    promptTokens: row.promptTokens ?? 0,
    completionTokens: row.completionTokens ?? 0,
    reasoningTokens: row.reasoningTokens ?? 0,
    cachedTokens: row.cachedTokens ?? 0,
  });
  return { ...usage, totalTokens: usage.promptTokens + usage.completionTokens };
}

/** Both together. */
export function addUsage(one: Usage, other: Usage): Usage {
  return {
    promptTokens: one.promptTokens + other.promptTokens,
    completionTokens: one.completionTokens + other.completionTokens,
    reasoningTokens: one.reasoningTokens + other.reasoningTokens,
    cachedTokens: one.cachedTokens + other.cachedTokens,
  };
}

/** A price in dollars for a million tokens, as a whole number of 10⁻⁶ dollars (so 10⁻¹² dollars a token). */
const microDollars = (price: string) => BigInt(Math.round(Number(price) * 1_000_000));

/** What the tokens cost in US dollars, exact to 10⁻¹⁰, as a decimal text; null for a model without a price. */
export function costOf(usage: Usage, model: ModelInfo): string | null {
  const { inputPricePerMillion, outputPricePerMillion, cachedInputPricePerMillion } = model;
  if (inputPricePerMillion === null || outputPricePerMillion === null) return null;
  const fresh = BigInt(Math.max(usage.promptTokens - usage.cachedTokens, 0)) * microDollars(inputPricePerMillion);
  const cached = BigInt(usage.cachedTokens) * microDollars(cachedInputPricePerMillion ?? inputPricePerMillion);
  const completion = BigInt(usage.completionTokens) * microDollars(outputPricePerMillion);
  const tenBillionths = (fresh + cached + completion + 50n) / 100n;
  const digits = tenBillionths.toString().padStart(11, '0');
  return `${digits.slice(0, -10)}.${digits.slice(-10)}`.replace(/\.?0+$/, '');
}
