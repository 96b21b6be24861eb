import { builder } from '../builder.ts';

/** The tokens that models processed. */
export const UsageType = builder
  .objectRef<{
    promptTokens: number;
    completionTokens: number;
    totalTokens: number;
    reasoningTokens: number;
    cachedTokens: number;
  }>('Usage')
  .implement({
    description: 'The tokens that models processed, as the providers report them.',
    fields: (t) => ({
      promptTokens: t.exposeInt('promptTokens', {
        description: 'The tokens that the model read, including cached ones.',
      }),
      completionTokens: t.exposeInt('completionTokens', {
        description: 'The tokens that the model wrote, including reasoning.',
      }),
      totalTokens: t.exposeInt('totalTokens', { description: 'The sum of `promptTokens` and `completionTokens`.' }),
      reasoningTokens: t.exposeInt('reasoningTokens', {
        description: 'The part of `completionTokens` that was reasoning.',
      }),
      cachedTokens: t.exposeInt('cachedTokens', {
        description: 'The part of `promptTokens` that the provider read from its cache, often at a lower price.',
      }),
    }),
  });
