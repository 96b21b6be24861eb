import { APICallError } from '@ai-sdk/provider';
import { backoffMs } from '../async/retry.ts';
import { UnknownModelError } from './model-catalog.ts';

/** The public form of a failed model call. */
interface ModelFault {
  code: string;
  message: string;
  /** Whether the same call may succeed later. */
  retryable: boolean;
}

const firstWaitMs = 500;
/** A call is not retried when the provider requires a longer wait. */
const maxWaitMs = 60_000;

/** The model did not start or continue its answer in time. */
export class ModelTimeoutError extends Error {}

/** The model's answer is incomplete or unreadable. */
export class BrokenStreamError extends Error {}

/** A response is larger than its limit. */
export class ResponseTooLargeError extends Error {
  /** `what`: what the provider sent, and the limit. */
  constructor(what: string) {
    super(`The provider sent ${what}.`);
  }
}

/** What looks like a key or a password. */
const secretLike = /\b(?:sk|ak|rk|pk|key|bearer|token)[-_ ][\w*.-]{6,}|\b[\w-]{40,}\b/gi;

/** The provider's own message, at most 500 characters, without anything that looks like a secret. */
function messageOf(error: APICallError): string {
  const { error: inner, message } = (error.data ?? {}) as { error?: { message?: unknown }; message?: unknown };
  const own = [inner?.message, message, error.message].find((text) => typeof text === 'string') as string;
  return own.replace(secretLike, '[secret]').slice(0, 500);
}

const byStatus: Array<[(status: number) => boolean, string, boolean, string]> = [
  [(status) => status === 401 || status === 403, 'provider_unauthorized', false, "rejected the server's API key"],
  [(status) => status === 404, 'model_not_found', false, 'has no such model'],
  [(status) => status === 408 || status === 504, 'provider_timeout', true, 'did not respond in time'],
  [(status) => status === 429, 'rate_limit_exceeded', true, 'rejected the request: rate limit or quota exceeded'],
  [(status) => status >= 500, 'server_error', true, 'failed'],
  [(status) => status >= 400, 'invalid_request', false, 'rejected the request'],
];

/** The fault of a failed model call, with a message for the user. `model`: `vendor/model`. */
export function faultOf(error: unknown, model: string): ModelFault {
  const provider = model.split('/')[0] as string;
  if (error instanceof ModelTimeoutError) return { code: 'provider_timeout', message: error.message, retryable: true };
  if (error instanceof BrokenStreamError) return { code: 'stream_broken', message: error.message, retryable: true };
  if (error instanceof UnknownModelError) return { code: 'model_not_found', message: error.message, retryable: false };
  const tooLarge = [error, (error as { cause?: unknown } | null)?.cause].find(
    (each) => each instanceof ResponseTooLargeError,
  );
  if (tooLarge) return { code: 'response_too_large', message: tooLarge.message, retryable: false };
  if (!APICallError.isInstance(error)) {
    return {
      code: 'internal_error',
      message: 'Internal error. See the log of the server.',
      retryable: true,
    };
  }
  const { statusCode } = error;
  if (statusCode === undefined) {
    return { code: 'provider_unreachable', message: `The provider ${provider} could not be reached.`, retryable: true };
  }
  const row = byStatus.find(([applies]) => applies(statusCode));
  const [, code, retryable, does] = row ?? [null, 'stream_broken', true, 'sent an unreadable response'];
  // A provider's message about a key is not for users.
  const details = code === 'provider_unauthorized' ? '' : `: ${messageOf(error)}`;
  return { code, message: `The provider ${provider} ${does} (HTTP ${statusCode})${details}`, retryable };
}

/**
 * The wait before a failed call is retried, in milliseconds: the one that the provider requires, else a growing, jittered
 * one. null: a retry would not help, or the required wait is too long. `failed`: the number of failed tries.
 */
export function waitBeforeRetry(error: unknown, model: string, failed: number): number | null {
  if (!faultOf(error, model).retryable) return null;
  const required = retryAfterMs(error);
  if (required === null) return backoffMs(failed, { firstMs: firstWaitMs, maxMs: maxWaitMs });
  return required > maxWaitMs ? null : required;
}

/** The wait that the provider requires, in milliseconds; null: none. */
function retryAfterMs(error: unknown): number | null {
  if (!APICallError.isInstance(error)) return null;
  const { 'retry-after-ms': ms, 'retry-after': after } = error.responseHeaders ?? {};
  if (ms && Number.isFinite(Number(ms))) return Math.max(Number(ms), 0);
  if (!after) return null;
  const seconds = Number(after);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(after) - Date.now();
  return Number.isFinite(wait) ? Math.max(wait, 0) : null;
}
