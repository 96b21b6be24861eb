import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { ConfigError } from '../config/config-error.ts';
import type { ModelInfo } from './model-catalog.ts';

/**
 * A widely used model, named without its vendor. Prices are in US dollars for a million tokens. `abilities`: `t` tools,
 * `i` images, `r` reasoning.
 */
export type KnownModel = readonly [
  name: string,
  contextWindow: number,
  inputPrice: string,
  outputPrice: string,
  cachedInputPrice: string | null,
  abilities: string,
];

/** The built-in table of a provider. The operator's catalog file overrides it. */
export function knownModels(provider: { name: string; knownModels: readonly KnownModel[] }): ModelInfo[] {
  return provider.knownModels.map(([model, contextWindow, input, output, cachedInput, abilities]) => ({
    id: `${provider.name}/${model}`,
    provider: provider.name,
    contextWindow,
    supportsTools: abilities.includes('t'),
    supportsImages: abilities.includes('i'),
    supportsReasoning: abilities.includes('r'),
    inputPricePerMillion: input,
    outputPricePerMillion: output,
    cachedInputPricePerMillion: cachedInput,
  }));
}

/** The assumptions about a model that is in no table. */
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
  .regex(/^\d{1,6}(\.\d{1,6})?$/, 'a price is a decimal string such as "0.4"')
  .nullish();
const catalogFile = z.record(
  z.string().regex(/^[^/\s]+\/\S+$/, 'a model is named vendor/model'),
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

/** Reads the operator's catalog file: what it overrides, by `vendor/model`. Throws ConfigError for a file that is not valid. */
export async function readCatalogFile(path: string | null): Promise<Map<string, Partial<ModelInfo>>> {
  if (path === null) return new Map();
  try {
    const entries = catalogFile.parse(JSON.parse(await readFile(path, 'utf8')));
    return new Map(Object.entries(entries) as Array<[string, Partial<ModelInfo>]>);
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : (error as Error).message;
    throw new ConfigError(
      `MODEL_CATALOG is not valid: it accepts a path to a JSON file of models by vendor/model (${why}).`,
    );
  }
}
