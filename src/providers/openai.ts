import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import type { ProviderSettings } from '../config/config.ts';

const openaiBaseUrl = 'https://api.openai.com/v1';

/** Whether the provider `openai` is OpenAI itself, and no server that only speaks like it. */
export const isOpenai = (settings: ProviderSettings | null) => settings?.baseURL === openaiBaseUrl;

/** A server that speaks like OpenAI. */
export const compatibleProvider = ({ baseURL, apiKey }: ProviderSettings) =>
  createOpenAICompatible({
    ...{ name: 'openai', baseURL, includeUsage: true, supportsStructuredOutputs: true },
    ...(apiKey ? { apiKey } : {}),
  });
