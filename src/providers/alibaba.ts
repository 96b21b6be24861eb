import { createAlibaba } from '@ai-sdk/alibaba';
import { baseUrl, printable } from '../config/kind.ts';
import { computed, optional, required, setting } from '../config/setting.ts';
import { DashScopeImageModel } from './dashscope-image.ts';
import type { KnownModel } from './known-models.ts';
import { providerFetch } from './provider-fetch.ts';
import type { FetchAnywhere, Provider, ProviderSettings, Vendor } from './vendor.ts';

/** List prices of DashScope's international service, November 2026. */
const knownModels: KnownModel[] = [
  ['qwen-max', 32_768, '1.6', '6.4', null, 't'],
  ['qwen-plus', 1_000_000, '0.4', '1.2', null, 'tr'],
  ['qwen-flash', 1_000_000, '0.05', '0.4', null, 'tr'],
  ['qwen-turbo', 1_000_000, '0.05', '0.2', null, 'tr'],
  ['qwen3-max', 262_144, '1.2', '6', null, 't'],
  ['qwen-vl-max', 131_072, '0.8', '3.2', null, 'i'],
  ['qwen-vl-plus', 131_072, '0.21', '0.63', null, 'i'],
];

/** Alibaba Model Studio (DashScope). */
export const alibaba: Vendor = {
  name: 'alibaba',
  label: 'Alibaba Model Studio',
  settings: optional({
    apiKey: setting(
      'DASHSCOPE_API_KEY',
      printable(1, 2000),
      required,
      'Key of Alibaba Model Studio; configures `alibaba`.',
    ),
    baseURL: setting(
      'DASHSCOPE_BASE_URL',
      baseUrl,
      computed('international', () => 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1'),
      'Its OpenAI-compatible API.',
    ),
  }),
  claims: (model) => /^(qwen|qwq|qvq)/i.test(model),
  open,
};

function open({ baseURL, apiKey }: ProviderSettings, fetchAnywhere: FetchAnywhere): Provider {
  // Images and embeddings have no OpenAI-compatible form.
  const nativeURL = baseURL.replace(/\/compatible-mode\/v1$/, '/api/v1');
  const key = apiKey ?? '';
  const provider = createAlibaba({ baseURL, apiKey: key, embeddingBaseURL: nativeURL, fetch: providerFetch });
  return {
    defaultModel: 'qwen-plus',
    knownModels,
    oneCallAtATime: { parallelToolCalls: false },
    languageModel: (name) => provider.languageModel(name),
    imageModel: (name) => new DashScopeImageModel({ baseURL: nativeURL, apiKey: key, fetchAnywhere }, name),
    defaultImageModel: 'qwen-image',
    embeddingModel: (name) => provider.embeddingModel(name),
    embeddingOptions: (use, dimensions) => ({
      alibaba: { textType: use, ...(dimensions === null ? {} : { dimension: dimensions }) },
    }),
  };
}
