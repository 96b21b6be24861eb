import { builder } from '../builder.ts';

/** How messages are left out of the prompt. */
export const TruncationStrategy = builder.enumType('TruncationStrategy', {
  description: 'How older messages are left out of the prompt.',
  values: {
    AUTO: {
      description: "Leaves out the oldest messages that exceed the model's context window or `maxPromptTokens`.",
    },
    LAST_MESSAGES: {
      description: 'Keeps the last `lastMessages` messages at most, and then applies the limits of AUTO.',
    },
  } as const,
});

/** The truncation of a run. */
export const Truncation = builder
  .objectRef<{ strategy: 'AUTO' | 'LAST_MESSAGES'; lastMessages: number | null }>('Truncation')
  .implement({
    description: 'How much of the conversation goes into the prompt.',
    fields: (t) => ({
      strategy: t.expose('strategy', {
        type: TruncationStrategy,
        description: 'How older messages are left out of the prompt.',
      }),
      lastMessages: t.exposeInt('lastMessages', {
        nullable: true,
        description: 'The number of messages that LAST_MESSAGES keeps. Null for AUTO.',
      }),
    }),
  });
