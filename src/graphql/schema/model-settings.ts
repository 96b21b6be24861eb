import type { InputFieldBuilder } from '@pothos/core';
import { builder } from '../builder.ts';

/** How long a model thinks before it answers. */
export const ReasoningEffort = builder.enumType('ReasoningEffort', {
  description: 'How long a model thinks before it answers. Models without reasoning ignore it, or refuse it.',
  values: {
    NONE: { description: 'The model does not think.' },
    MINIMAL: { description: 'Very few reasoning tokens.' },
    LOW: { description: 'Few reasoning tokens.' },
    MEDIUM: { description: 'The usual effort.' },
    HIGH: { description: 'Many reasoning tokens: slow and dear.' },
  } as const,
});

/** The descriptions of the settings that assistants and runs have in common. */
export const settingDescriptions = {
  reasoningEffort: 'How long the model thinks before it answers.',
  seed: 'Seed of the sampling: with the same seed, a provider that supports it repeats its answer where it can.',
  topK: 'Number of the most probable tokens that sampling considers, 1 to 100,000. Providers without it ignore it.',
  stop: 'Sequences at which the model stops, which are not part of the answer: at most 16, of 1 to 500 characters.',
  providerOptions:
    'Further parameters of the request to the provider, by the names that the provider has for them, such as `{ "enable_search": true }`: at most 16,000 characters as JSON. Parameters that have a field of their own are refused.',
};

type Fields = InputFieldBuilder<(typeof builder)['$inferSchemaTypes'], 'InputObject'>;

/** The fields of an input with these settings. `ending`: what null and absence mean. */
export const settingInputs = (t: Fields, ending: { null: string; list: string }) => ({
  reasoningEffort: t.field({
    type: ReasoningEffort,
    description: `${settingDescriptions.reasoningEffort} ${ending.null}`,
  }),
  seed: t.int({ description: `${settingDescriptions.seed} ${ending.null}` }),
  topK: t.int({ description: `${settingDescriptions.topK} ${ending.null}` }),
  stop: t.stringList({ description: `${settingDescriptions.stop} ${ending.list}` }),
  providerOptions: t.field({ type: 'JSON', description: `${settingDescriptions.providerOptions} ${ending.null}` }),
});
