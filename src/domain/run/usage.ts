import type { ModelInfo } from '../../providers/model-catalog.ts';

/**
 * The tokens that a step or a run used. Prompt tokens include cached tokens, completion tokens include reasoning
 * tokens.
 */
export interface Usage {
  promptTokens: number;
  completionTokens: number;
  reasoningTokens: number;
  cachedTokens: number;
}

/** No tokens. */
export const noUsage: Usage = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0, cachedTokens: 0 };

/** The usage in a row; null: the model has not reported any. */
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

/** The sum of two usages. */
export function addUsage(one: Usage, other: Usage): Usage {
  return {
    promptTokens: one.promptTokens + other.promptTokens,
    completionTokens: one.completionTokens + other.completionTokens,
    reasoningTokens: one.reasoningTokens + other.reasoningTokens,
    cachedTokens: one.cachedTokens + other.cachedTokens,
  };
}

/** Converts a price in US dollars per million tokens into 10⁻⁶ dollars, which is 10⁻¹² dollars per token. */
const microDollars = (price: string) => BigInt(Math.round(Number(price) * 1_000_000));

/** The cost of the tokens in US dollars, rounded to 10⁻¹⁰, as a decimal text; null: the model has no price. */
export function costOf(usage: Usage, model: ModelInfo): string | null {
  const { inputPricePerMillion, outputPricePerMillion, cachedInputPricePerMillion } = model;
  if (inputPricePerMillion === null || outputPricePerMillion === null) return null;
  const uncached = BigInt(Math.max(usage.promptTokens - usage.cachedTokens, 0)) * microDollars(inputPricePerMillion);
  const cached = BigInt(usage.cachedTokens) * microDollars(cachedInputPricePerMillion ?? inputPricePerMillion);
  const completion = BigInt(usage.completionTokens) * microDollars(outputPricePerMillion);
  const tenBillionths = (uncached + cached + completion + 50n) / 100n;
  const digits = tenBillionths.toString().padStart(11, '0');
  return `${digits.slice(0, -10)}.${digits.slice(-10)}`.replace(/\.?0+$/, '');
}
