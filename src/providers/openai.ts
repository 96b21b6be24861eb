import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { baseUrl, printable } from '../config/kind.ts';
import { computed, optional, setting } from '../config/setting.ts';
import type { KnownModel } from './known-models.ts';
import { providerFetch } from './provider-fetch.ts';
import type { Provider, ProviderSettings, Vendor } from './vendor.ts';

const ownURL = 'https://api.openai.com/v1';

/** List prices of OpenAI, November 2026. */
const knownModels: KnownModel[] = [
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
];

/** OpenAI, or any server with an OpenAI-compatible API. */
export const openai: Vendor = {
  name: 'openai',
  label: 'OpenAI, or a compatible server',
  settings: optional({
    apiKey: setting('OPENAI_API_KEY', printable(1, 2000), null, 'Key of OpenAI; configures `openai`.'),
    baseURL: setting(
      'OPENAI_BASE_URL',
      baseUrl,
      computed('OpenAI', () => ownURL),
      'OpenAI-compatible API; configures `openai`.',
    ),
  }),
  claims: () => true,
  open: (settings) => (settings.baseURL === ownURL ? openOpenai(settings) : openCompatible(settings)),
};

/** OpenAI's own package knows its reasoning models. */
function openOpenai({ baseURL, apiKey }: ProviderSettings): Provider {
  // Without a key the package would read the environment.
  const provider = createOpenAI({ baseURL, apiKey: apiKey ?? '', fetch: providerFetch });
  return {
    defaultModel: 'gpt-5-mini',
    knownModels,
    oneCallAtATime: { parallelToolCalls: false },
    languageModel: (name) => provider.chat(name),
    imageModel: (name) => provider.image(name),
    defaultImageModel: 'gpt-image-1-mini',
    embeddingModel: (name) => provider.embeddingModel(name),
  };
}

/** A compatible server has its own models, and may have none for images. */
function openCompatible({ baseURL, apiKey }: ProviderSettings): Provider {
  const provider = createOpenAICompatible({
    ...{ name: 'openai', baseURL, includeUsage: true, supportsStructuredOutputs: true, fetch: providerFetch },
    ...(apiKey === null ? {} : { apiKey }),
  });
  return {
    defaultModel: null,
    knownModels: [],
    // The package copies options that it does not know into the request.
    oneCallAtATime: { parallel_tool_calls: false },
    topK: (top_k) => ({ top_k }),
    languageModel: (name) => provider.chatModel(name),
    imageModel: (name) => provider.imageModel(name),
    defaultImageModel: null,
    embeddingModel: (name) => provider.embeddingModel(name),
  };
}
