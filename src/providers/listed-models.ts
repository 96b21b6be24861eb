import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { providerLimits } from './limits.ts';
import { providerFetch } from './provider-fetch.ts';
import type { ProviderSettings } from './vendor.ts';
import { vendors } from './vendors.ts';

const ttlMs = 5 * 60_000;
const timeoutMs = 3000;
const modelList = z.object({ data: z.array(z.object({ id: z.string().min(1).max(200) })).max(providerLimits.models) });

/** The models that providers list at `GET /models`, cached for 5 minutes. */
export class ListedModels {
  readonly #lists = new LRUCache<string, Promise<string[] | null>>({ max: vendors.length, ttl: ttlMs });

  /** The names of the models, without the vendor; null where the provider does not answer. */
  of({ name, settings }: { name: string; settings: ProviderSettings }): Promise<string[] | null> {
    const cached = this.#lists.get(name);
    if (cached) return cached;
    const models = fetchModels(settings);
    this.#lists.set(name, models);
    return models;
  }
}

async function fetchModels({ baseURL, apiKey }: ProviderSettings): Promise<string[] | null> {
  try {
    const response = await providerFetch(`${baseURL}/models`, {
      headers: apiKey ? { authorization: `Bearer ${apiKey}` } : {},
      signal: AbortSignal.timeout(timeoutMs),
    });
    return response.ok ? modelList.parse(await response.json()).data.map(({ id }) => id) : null;
  } catch {
    // A provider need not list its models: the built-in table replaces the list.
    return null;
  }
}
