import { builder } from '../builder.ts';

/** What an operator can open for end users. */
export const RunOverrideEnum = builder.enumType('RunOverride', {
  description:
    'What an operator can open for end users, in `endUsers` of the workspace settings or in createSessionToken. Each is closed by default: then a run has what its assistant has. API keys may choose everything.',
  values: {
    MODEL: {
      description:
        'Choosing the model of a run and its settings: `model`, `temperature`, `topP`, `topK`, `seed`, `stop`, `reasoningEffort` and `providerOptions`.',
    },
    INSTRUCTIONS: {
      description:
        'Choosing `instructions`, `additionalInstructions` and `responseFormat` of a run, and starting runs without an assistant.',
    },
    TOOLS: {
      description:
        'Choosing `tools`, `toolChoice` and `parallelToolCalls` of a run, with any plugin of the workspace; reading plugins, and the tools of assistants and runs.',
    },
    LIMITS: {
      description: 'Choosing `maxPromptTokens`, `maxCompletionTokens`, `maxSteps` and `truncation` of a run.',
    },
    SYSTEM_MESSAGES: { description: 'Adding, editing and deleting messages with the role SYSTEM.' },
  } as const,
});
