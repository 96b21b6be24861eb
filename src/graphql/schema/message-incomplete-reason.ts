import { builder } from '../builder.ts';

/** Why a message ended early. The values are those of the column. */
export const MessageIncompleteReason = builder.enumType('MessageIncompleteReason', {
  description: 'Why a message ended early.',
  values: {
    MAX_TOKENS: { value: 'max_tokens', description: 'The run reached a limit of tokens or steps.' },
    ANSWER_TOO_LONG: { value: 'answer_too_long', description: "The text reached the server's limit of bytes." },
    CONTENT_FILTER: { value: 'content_filter', description: 'The content filter of the provider stopped the text.' },
    RUN_CANCELLED: { value: 'run_cancelled', description: 'The run was cancelled.' },
    RUN_EXPIRED: { value: 'run_expired', description: 'The run expired.' },
    RUN_FAILED: { value: 'run_failed', description: 'The run failed; `Run.lastError` has the reason.' },
    WORKER_LOST: {
      value: 'worker_lost',
      description: 'The worker was lost. Another one repeated the step with a new message.',
    },
  } as const,
});
