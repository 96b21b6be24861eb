import { builder } from '../builder.ts';

/** Where a run stands. */
export const RunStatus = builder.enumType('RunStatus', {
  description: 'Where a run stands.',
  values: {
    QUEUED: { description: 'It waits for a worker, or for its turn in the thread.' },
    IN_PROGRESS: { description: 'A worker executes it.' },
    REQUIRES_ACTION: { description: 'It waits for tool outputs.' },
    CANCELLING: { description: 'It has been asked to stop, and its worker is about to.' },
    CANCELLED: { description: 'It was stopped. Terminal.' },
    FAILED: { description: 'Something went wrong; `lastError` says what. Terminal.' },
    COMPLETED: { description: 'It is done. Terminal.' },
    INCOMPLETE: { description: 'It ran into a limit; `incompleteReason` says which. Terminal.' },
    EXPIRED: { description: 'It waited too long. Terminal.' },
  } as const,
});

/** The limit that a run ran into. */
export const RunIncompleteReason = builder.enumType('RunIncompleteReason', {
  description: 'The limit that a run ran into.',
  values: {
    MAX_COMPLETION_TOKENS: { description: 'It may not write more.' },
    MAX_PROMPT_TOKENS: { description: 'It may not read more.' },
    CONTENT_FILTER: { description: 'The provider objected to the content.' },
    MAX_STEPS: { description: 'It may not take more steps.' },
  } as const,
});

/** What went wrong. */
export const RunError = builder.objectRef<{ code: string; message: string; retryable: boolean }>('RunError').implement({
  description: 'What went wrong.',
  fields: (t) => ({
    code: t.exposeString('code', {
      description: 'A stable word: rate_limit_exceeded, server_error, provider_unauthorized, provider_timeout, …',
    }),
    message: t.exposeString('message', { description: 'In words for a person, without secrets.' }),
    retryable: t.exposeBoolean('retryable', {
      description: 'Whether the same may well succeed when it is tried again.',
    }),
  }),
});

/** The error in a row. */
export function errorOf(row: {
  errorCode: string | null;
  errorMessage: string | null;
  errorRetryable: boolean | null;
}) {
  return row.errorCode === null
    ? null
    : { code: row.errorCode, message: row.errorMessage ?? '', retryable: row.errorRetryable ?? false };
}

/** How the conversation is cut when it is long. */
export const TruncationStrategy = builder.enumType('TruncationStrategy', {
  description: 'How the conversation is cut when it is long.',
  values: {
    AUTO: { description: 'As the model needs it.' },
    LAST_MESSAGES: { description: 'Only the last so many messages.' },
  } as const,
});

/** How much of the conversation the model is told. */
export const Truncation = builder
  .objectRef<{ strategy: 'AUTO' | 'LAST_MESSAGES'; lastMessages: number | null }>('Truncation')
  .implement({
    description: 'How much of the conversation the model is told.',
    fields: (t) => ({
      strategy: t.expose('strategy', { type: TruncationStrategy, description: 'How it is cut.' }),
      lastMessages: t.exposeInt('lastMessages', { nullable: true, description: 'For LAST_MESSAGES: how many.' }),
    }),
  });
