import { setTimeout as delay } from 'node:timers/promises';
import {
  APICallError,
  type LanguageModelV4,
  type LanguageModelV4CallOptions,
  type LanguageModelV4StreamPart,
} from '@ai-sdk/provider';
import { untilAborted } from '../async/until-aborted.ts';
import { BrokenStreamError, ModelTimeoutError, waitBeforeRetry } from '../providers/model-error.ts';

/** How long to wait for a model, and how often to try again. */
export interface ModelTimeouts {
  timeoutMs: number;
  stallMs: number;
  retries: number;
}

/** Parts that carry something of the answer: after one of them a call is not made again. */
const content = new Set(['text-delta', 'reasoning-delta', 'tool-input-start', 'tool-call']);

/**
 * Calls a model and hands on what it streams. A call that fails before anything of the answer has come is made again,
 * where that may help: after what the provider asks for, else after a growing, jittered while.
 * Throws what the last call failed with; the signal's reason when it aborts.
 */
export async function* callModel(
  model: LanguageModelV4,
  options: LanguageModelV4CallOptions,
  patience: ModelTimeouts,
  signal: AbortSignal,
): AsyncGenerator<LanguageModelV4StreamPart> {
  for (let tries = 0; ; tries += 1) {
    let hasContent = false;
    try {
      for await (const part of streamOnce(model, options, patience, signal)) {
        hasContent ||= content.has(part.type);
        yield part;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      const isFinal = hasContent || tries >= patience.retries;
      const wait = isFinal ? null : waitBeforeRetry(error, model.modelId, tries + 1);
      if (wait === null) throw error;
      await delay(wait, undefined, { signal });
    }
  }
}

async function* streamOnce(
  model: LanguageModelV4,
  options: LanguageModelV4CallOptions,
  { timeoutMs, stallMs }: ModelTimeouts,
  signal: AbortSignal,
): AsyncGenerator<LanguageModelV4StreamPart> {
  const silence = new AbortController();
  const giveUp = (ms: number, what: string) =>
    setTimeout(() => silence.abort(new ModelTimeoutError(`The model ${what} for ${ms / 1000} s.`)), ms);
  let timer = giveUp(timeoutMs, 'did not begin to answer');
  const abortSignal = AbortSignal.any([signal, silence.signal]);
  let reader: ReadableStreamDefaultReader<LanguageModelV4StreamPart> | undefined;
  try {
    const { stream } = await untilAborted(model.doStream({ ...options, abortSignal }), abortSignal);
    reader = stream.getReader();
    let isFinished = false;
    for (;;) {
      const { done, value } = await untilAborted(reader.read(), abortSignal);
      if (done) break;
      clearTimeout(timer);
      timer = giveUp(stallMs, 'fell silent in the middle of its answer');
      if (value.type === 'error') throw asError(value.error);
      isFinished ||= value.type === 'finish' && value.finishReason.raw !== undefined;
      yield value;
    }
    if (!isFinished) throw new BrokenStreamError('The answer of the model broke off.');
  } catch (error) {
    if (abortSignal.aborted) throw abortSignal.reason;
    const isKnown = error instanceof BrokenStreamError || APICallError.isInstance(error);
    throw isKnown
      ? error
      : new BrokenStreamError('The answer of the model broke off, or could not be read.', { cause: error });
  } finally {
    clearTimeout(timer);
    await reader?.cancel().catch(() => {});
  }
}

const asError = (error: unknown) =>
  error instanceof Error ? error : new BrokenStreamError('The model reported an error in the middle of its answer.');
