import { builder } from '../builder.ts';

/** Tokens, as the graph shows them. */
export const UsageType = builder
  .objectRef<{
    promptTokens: number;
    completionTokens: number;
    totalTokens: number;
    reasoningTokens: number;
    cachedTokens: number;
  }>('Usage')
  .implement({
    description: 'Tokens that were used.',
    fields: (t) => ({
      promptTokens: t.exposeInt('promptTokens', { description: 'Read by the model.' }),
      completionTokens: t.exposeInt('completionTokens', { description: 'Written by the model.' }),
      totalTokens: t.exposeInt('totalTokens', { description: 'Both together.' }),
      reasoningTokens: t.exposeInt('reasoningTokens', { description: 'Those of the completion that were reasoning.' }),
      cachedTokens: t.exposeInt('cachedTokens', { description: 'Those of the prompt that the provider had cached.' }),
    }),
  });
