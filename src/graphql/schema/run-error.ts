import type { RunFault } from '../../domain/error.ts';
import { builder } from '../builder.ts';

/** Why a run, a step or a tool call failed. */
export const RunError = builder.objectRef<RunFault>('RunError').implement({
  description: 'Why a run, a step or a tool call failed.',
  fields: (t) => ({
    code: t.exposeString('code', {
      description:
        'A stable code for programs. From the provider: rate_limit_exceeded, server_error, provider_unauthorized, provider_timeout, provider_unreachable, model_not_found, invalid_request, stream_broken, response_too_large. From this server: worker_lost, invalid_answer, answer_too_long, arguments_too_long, internal_error. Tools add codes of their own.',
    }),
    message: t.exposeString('message', { description: 'An explanation for people. It contains no secrets.' }),
    retryable: t.exposeBoolean('retryable', {
      description: 'Whether the same request can succeed if you try again.',
    }),
  }),
});

/** The error in the columns of a run, a step or a tool call; null if it has not failed. */
export function errorOf(row: {
  errorCode: string | null;
  errorMessage: string | null;
  errorRetryable: boolean | null;
}): RunFault | null {
  return row.errorCode === null
    ? null
    : { code: row.errorCode, message: row.errorMessage ?? '', retryable: row.errorRetryable ?? false };
}
