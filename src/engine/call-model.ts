import {
  APICallError,
  type LanguageModelV4,
  type LanguageModelV4CallOptions,
  type LanguageModelV4StreamPart,
} from '@ai-sdk/provider';
import { Countdown } from '../async/countdown.ts';
import type { Party } from '../async/fair-slots.ts';
import { retry } from '../async/retry.ts';
import { untilAborted } from '../async/until-aborted.ts';
import { addParameters } from '../providers/extra-parameters.ts';
import {
  BrokenStreamError,
  ModelTimeoutError,
  ResponseTooLargeError,
  waitBeforeRetry,
} from '../providers/model-error.ts';
import { ResponseMeter } from '../providers/response-meter.ts';
import { engineLimits } from './limits.ts';
import { pause, type RunPace } from './run-pace.ts';

/** How long to wait for a model, and how often to retry. */
export interface ModelTimeouts {
  /** The time limit until the first part of the answer, in milliseconds. */
  timeoutMs: number;
  /** The time limit between two parts, in milliseconds. */
  stallMs: number;
  retries: number;
}

/** The limits of one call of a model, and what it adds to the request. */
export interface CallLimits {
  timeouts: ModelTimeouts;
  /** The bytes that a response may contain beside its content. */
  silentBytes: number;
  /** How fast the models of an end user may answer, and whose answer this one is. */
  pace: RunPace;
  party: Party;
  /** Further parameters of the request, by the names of the provider. */
  parameters: object;
}

/** The parts that carry content of an answer. */
export const contentParts: ReadonlySet<string> = new Set<LanguageModelV4StreamPart['type']>([
  'text-delta',
  'reasoning-delta',
  'tool-input-start',
  'tool-call',
]);

/** An answer that has begun: the parts up to its first content, and a stream of the others. */
interface BegunAnswer {
  head: LanguageModelV4StreamPart[];
  rest: AsyncGenerator<LanguageModelV4StreamPart>;
}

/**
 * Calls a model and yields the parts that it streams. A call that fails before the first content part is retried if the error
 * allows it, after the wait that the provider asks for, else after an exponential wait with jitter. Throws the error of the last
 * call, or the signal's reason when it aborts. Closes the connection at once when the consumer stops.
 */
export async function* callModel(
  model: LanguageModelV4,
  options: LanguageModelV4CallOptions,
  limits: CallLimits,
  signal: AbortSignal,
): AsyncGenerator<LanguageModelV4StreamPart> {
  const { head, rest } = await retry(() => beginAnswer(streamOnce(model, options, limits, signal)), {
    tries: limits.timeouts.retries + 1,
    wait: (error, failed) => waitBeforeRetry(error, model.modelId, failed),
    signal,
  });
  try {
    yield* head;
    yield* rest;
  } finally {
    // Closes the stream also if the consumer stops within the head.
    await rest.return(undefined);
  }
}

async function beginAnswer(rest: AsyncGenerator<LanguageModelV4StreamPart>): Promise<BegunAnswer> {
  const head: LanguageModelV4StreamPart[] = [];
  for (;;) {
    const { done, value } = await rest.next();
    if (done) return { head, rest };
    head.push(value);
    if (contentParts.has(value.type)) return { head, rest };
  }
}

async function* streamOnce(
  model: LanguageModelV4,
  options: LanguageModelV4CallOptions,
  { timeouts: { timeoutMs, stallMs }, silentBytes, pace, party, parameters }: CallLimits,
  signal: AbortSignal,
): AsyncGenerator<LanguageModelV4StreamPart> {
  await pace.call(party, signal);
  const silence = new AbortController();
  const countdown = new Countdown();
  const expectPart = (ms: number, failure: string) =>
    countdown.start(ms, () => silence.abort(new ModelTimeoutError(`The model ${failure} for ${ms / 1000} s.`)));
  expectPart(timeoutMs, 'did not begin to answer');
  const abortSignal = AbortSignal.any([signal, silence.signal]);
  addParameters(abortSignal, parameters);
  const meter = ResponseMeter.of(abortSignal, silentBytes, async (bytes) => {
    const ms = pace.receive(party, bytes);
    if (ms === 0) return;
    // Such a pause is not the model's.
    countdown.pause();
    await pause(ms, abortSignal);
    countdown.resume();
  });
  let reader: ReadableStreamDefaultReader<LanguageModelV4StreamPart> | undefined;
  try {
    const { stream } = await untilAborted(model.doStream({ ...options, abortSignal }), abortSignal);
    reader = stream.getReader();
    let isFinished = false;
    for (;;) {
      const { done, value } = await untilAborted(reader.read(), abortSignal);
      // The time in which the part is handled is not the model's.
      countdown.stop();
      if (done) break;
      if (value.type === 'error') throw asError(value.error);
      meter.subtract(worthOf(value));
      isFinished ||= value.type === 'finish' && value.finishReason.raw !== undefined;
      yield value;
      expectPart(stallMs, 'paused in the middle of its answer');
    }
    if (!isFinished) throw new BrokenStreamError('The answer of the model ended without a finish reason.');
  } catch (error) {
    if (abortSignal.aborted) throw abortSignal.reason;
    throw knownError(error);
  } finally {
    countdown.stop();
    silence.abort();
    await reader?.cancel().catch(() => {});
  }
}

/** The error itself if it says what happened. */
function knownError(error: unknown): unknown {
  const known = [BrokenStreamError, ResponseTooLargeError].some((each) => error instanceof each);
  if (known || APICallError.isInstance(error)) return error;
  return new BrokenStreamError('The answer of the model was interrupted or could not be read.', { cause: error });
}

/** The bytes of a response that a part may have taken: JSON can escape each character, and names fields around it. */
function worthOf(part: LanguageModelV4StreamPart): number {
  const call = part.type === 'tool-input-start' ? part.toolName : part.type === 'tool-call' ? part.input : '';
  const content = 'delta' in part ? part.delta : call;
  return content === '' ? 0 : engineLimits.partBytes + 8 * content.length;
}

const asError = (error: unknown) =>
  error instanceof Error ? error : new BrokenStreamError('The model reported an error in the middle of its answer.');
