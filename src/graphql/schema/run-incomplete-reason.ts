import { builder } from '../builder.ts';

/** The limit that ended a run early. */
export const RunIncompleteReason = builder.enumType('RunIncompleteReason', {
  description: 'The limit that ended a run early, with the status INCOMPLETE.',
  values: {
    MAX_COMPLETION_TOKENS: {
      description: "The run wrote `maxCompletionTokens` tokens, or its answer reached the provider's limit.",
    },
    MAX_PROMPT_TOKENS: {
      description: 'The run read `maxPromptTokens` tokens, or the next prompt does not fit into the rest of them.',
    },
    CONTENT_FILTER: { description: 'The content filter of the provider stopped the answer.' },
    MAX_STEPS: { description: 'The run took `maxSteps` steps.' },
    ANSWER_TOO_LONG: {
      description:
        "The text or the reasoning of an answer reached the server's limit of bytes. The text up to it is kept.",
    },
    ARGUMENTS_TOO_LONG: {
      description:
        "The arguments of the tool calls of an answer reached the server's limit of bytes. No call was made.",
    },
  } as const,
});
