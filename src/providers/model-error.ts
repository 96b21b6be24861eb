import { APICallError } from '@ai-sdk/provider';
import { UnknownModelError } from './model-catalog.ts';

/** What a failed call of a model means. */
interface ModelFault {
  code: string;
  message: string;
  /** Whether the same call may well succeed later. */
  retryable: boolean;
}

/** Longer than this nobody waits for a provider that asks for patience. */
const maxWaitMs = 60_000;
const firstWaitMs = 500;

/** The model did not begin to answer, or stopped in the middle of it, for longer than the server waits. */
export class ModelTimeoutError extends Error {}

/** The model's answer ended without saying that it was finished, or could not be read. */
export class BrokenStreamError extends Error {}

/** Things that look like a key or a password, whatever the provider puts into its words. */
const secretLike = /\b(?:sk|ak|rk|pk|key|bearer|token)[-_ ][\w*.-]{6,}|\b[\w-]{40,}\b/gi;

/** The provider's own words, short and without anything that looks like a secret. */
function wordsOf(error: APICallError): string {
  const { error: inner, message } = (error.data ?? {}) as { error?: { message?: unknown }; message?: unknown };
  const words = [inner?.message, message, error.message].find((text) => typeof text === 'string') as string;
  return words.replace(secretLike, '[secret]').slice(0, 500);
}

const byStatus: Array<[(status: number) => boolean, string, boolean, string]> = [
  [(status) => status === 401 || status === 403, 'provider_unauthorized', false, "refused the server's key"],
  [(status) => status === 404, 'model_not_found', false, 'does not know the model'],
  [(status) => status === 408 || status === 504, 'provider_timeout', true, 'did not answer in time'],
  [(status) => status === 429, 'rate_limit_exceeded', true, 'is asked too often, or its quota is used up'],
  [(status) => status >= 500, 'server_error', true, 'had an error of its own'],
  [(status) => status >= 400, 'invalid_request', false, 'refused the request'],
];

/** What a failed call of a model means, in words fit for whoever it was made for. `model` is `provider/model`. */
export function faultOf(error: unknown, model: string): ModelFault {
  const provider = model.split('/')[0] as string;
  if (error instanceof ModelTimeoutError) return { code: 'provider_timeout', message: error.message, retryable: true };
  if (error instanceof BrokenStreamError) return { code: 'stream_broken', message: error.message, retryable: true };
  if (error instanceof UnknownModelError) return { code: 'model_not_found', message: error.message, retryable: false };
  if (!APICallError.isInstance(error)) {
    return {
      code: 'internal_error',
      message: 'Something went wrong on this server; its log says what.',
      retryable: true,
    };
  }
  const { statusCode } = error;
  if (statusCode === undefined) {
    return { code: 'provider_unreachable', message: `The provider ${provider} could not be reached.`, retryable: true };
  }
  const row = byStatus.find(([applies]) => applies(statusCode));
  const [, code, retryable, does] = row ?? [null, 'stream_broken', true, 'sent an answer that could not be read'];
  // What a provider says about keys is nobody's business but the operator's.
  const words = code === 'provider_unauthorized' ? '' : `: ${wordsOf(error)}`;
  return { code, message: `The provider ${provider} ${does} (HTTP ${statusCode})${words}`, retryable };
}

/**
 * After how many milliseconds a call that failed is made again: what the provider asks for, else a growing, jittered while.
 * Null: that would not help, or it has been made again `retries` times. `tries`: how often it has been made again so far.
 */
export function waitBeforeRetry(error: unknown, model: string, tries: number, retries: number): number | null {
  if (tries >= retries || !faultOf(error, model).retryable) return null;
  const wait = retryAfterMs(error) ?? firstWaitMs * 2 ** tries * (0.5 + Math.random());
  return wait > maxWaitMs ? null : wait;
}

/** How long the provider asks to be left alone, in milliseconds; null when it does not say. */
function retryAfterMs(error: unknown): number | null {
  if (!APICallError.isInstance(error)) return null;
  const { 'retry-after-ms': ms, 'retry-after': after } = error.responseHeaders ?? {};
  if (ms && Number.isFinite(Number(ms))) return Math.max(Number(ms), 0);
  if (!after) return null;
  const seconds = Number(after);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(after) - Date.now();
  return Number.isFinite(wait) ? Math.max(wait, 0) : null;
}
