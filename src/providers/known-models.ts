import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { ConfigError } from '../config/config.ts';
import type { ModelInfo } from './model-catalog.ts';

type Known = [
  model: string,
  contextWindow: number,
  input: string,
  output: string,
  cachedInput: string | null,
  can: string,
];

/**
 * Models that are widely used, with their list prices in US dollars for a million tokens (November 2026; DashScope:
 * international). `can`: t tools, i images, r reasoning. An operator's catalog file goes before this table.
 */
const known: Record<string, Known[]> = {
  alibaba: [
    ['qwen-max', 32_768, '1.6', '6.4', null, 't'],
    ['qwen-plus', 1_000_000, '0.4', '1.2', null, 'tr'],
    ['qwen-flash', 1_000_000, '0.05', '0.4', null, 'tr'],
    ['qwen-turbo', 1_000_000, '0.05', '0.2', null, 'tr'],
    ['qwen3-max', 262_144, '1.2', '6', null, 't'],
    ['qwen-vl-max', 131_072, '0.8', '3.2', null, 'i'],
    ['qwen-vl-plus', 131_072, '0.21', '0.63', null, 'i'],
  ],
  openai: [
    ['gpt-5', 400_000, '1.25', '10', '0.125', 'tir'],
    ['gpt-5-mini', 400_000, '0.25', '2', '0.025', 'tir'],
    ['gpt-5-nano', 400_000, '0.05', '0.4', '0.005', 'tir'],
    ['gpt-4.1', 1_047_576, '2', '8', '0.5', 'ti'],
    ['gpt-4.1-mini', 1_047_576, '0.4', '1.6', '0.1', 'ti'],
    ['gpt-4.1-nano', 1_047_576, '0.1', '0.4', '0.025', 'ti'],
    ['gpt-4o', 128_000, '2.5', '10', '1.25', 'ti'],
    ['gpt-4o-mini', 128_000, '0.15', '0.6', '0.075', 'ti'],
    ['o3', 200_000, '2', '8', '0.5', 'tir'],
    ['o4-mini', 200_000, '1.1', '4.4', '0.275', 'tir'],
  ],
};

/** The built-in table for a provider. */
export function knownModels(provider: string): ModelInfo[] {
  return (known[provider] ?? []).map(([model, contextWindow, input, output, cachedInput, can]) => ({
    id: `${provider}/${model}`,
    provider,
    contextWindow,
    supportsTools: can.includes('t'),
    supportsImages: can.includes('i'),
    supportsReasoning: can.includes('r'),
    inputPricePerMillion: input,
    outputPricePerMillion: output,
    cachedInputPricePerMillion: cachedInput,
  }));
}

/** What is assumed of a model that is in no table. */
export function unknownModel(id: string): ModelInfo {
  return {
    id,
    provider: id.slice(0, id.indexOf('/')),
    contextWindow: null,
    supportsTools: true,
    supportsImages: false,
    supportsReasoning: false,
    inputPricePerMillion: null,
    outputPricePerMillion: null,
    cachedInputPricePerMillion: null,
  };
}

const price = z
  .string()
  .regex(/^\d{1,6}(\.\d{1,6})?$/, 'a price is a decimal text such as "0.4"')
  .nullish();
const catalogFile = z.record(
  z.string().regex(/^[^/\s]+\/\S+$/, 'a model is named provider/model'),
  z.strictObject({
    contextWindow: z.int().min(1).nullish(),
    supportsTools: z.boolean().optional(),
    supportsImages: z.boolean().optional(),
    supportsReasoning: z.boolean().optional(),
    inputPricePerMillion: price,
    outputPricePerMillion: price,
    cachedInputPricePerMillion: price,
  }),
);

/** What the operator's catalog file says of models, by `provider/model`. Throws ConfigError when it cannot be read. */
export async function readCatalogFile(path: string | null): Promise<Map<string, Partial<ModelInfo>>> {
  if (path === null) return new Map();
  try {
    const entries = catalogFile.parse(JSON.parse(await readFile(path, 'utf8')));
    return new Map(Object.entries(entries) as Array<[string, Partial<ModelInfo>]>);
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : (error as Error).message;
    throw new ConfigError(`MODEL_CATALOG is not valid: it accepts a JSON file of models by provider/model (${why}).`);
  }
}
