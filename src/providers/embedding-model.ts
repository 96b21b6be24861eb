import { setTimeout as delay } from 'node:timers/promises';
import { createAlibaba } from '@ai-sdk/alibaba';
import { createOpenAI } from '@ai-sdk/openai';
import type { EmbeddingModelV4 } from '@ai-sdk/provider';
import { z } from 'zod';
import { ConfigError, type ProviderSettings } from '../config/config.ts';
import { dashscopeApi } from './dashscope.ts';
import { type Embedder, EmbeddingError, type EmbeddingUse } from './embedder.ts';
import { faultOf, ModelTimeoutError, waitBeforeRetry } from './model-error.ts';
import { compatibleProvider, isOpenai } from './openai.ts';

const timeoutMs = 30_000;
const retries = 2;
/** More at once makes no call faster, and a failure dearer. */
const maxBatchSize = 64;
const maxParallelCalls = 4;
/** How long a model is left alone that did not answer, whatever it is asked. */
const restMs = 20_000;
/** As many as pgvector takes. */
const maxDimensions = 16_000;
const vectorShape = z
  .array(z.number().min(-1e6).max(1e6))
  .min(1)
  .max(maxDimensions)
  // What points nowhere is near nothing.
  .refine((vector) => vector.reduce((sum, number) => sum + number * number, 0) > 1e-12);

/** Which model, of which providers, and with how many dimensions; null: as many as it has. */
export interface EmbeddingSettings {
  alibaba: ProviderSettings | null;
  openai: ProviderSettings | null;
  model: string;
  dimensions: number | null;
}

/** Opens the embedding model of a name (`provider/model`). Throws ConfigError where no configured provider answers to it. */
export function openEmbedder({ alibaba, openai, model, dimensions }: EmbeddingSettings): Embedder {
  const slash = model.indexOf('/');
  const provider = model.slice(0, slash);
  const name = model.slice(slash + 1);
  const id = dimensions === null ? model : `${model}@${dimensions}`;
  if (provider === 'alibaba' && alibaba) {
    const embeddingBaseURL = dashscopeApi(alibaba.baseURL);
    return new ProviderEmbedder(id, createAlibaba({ ...alibaba, embeddingBaseURL }).embeddingModel(name), dimensions);
  }
  if (provider === 'openai' && openai) {
    const made = isOpenai(openai) ? createOpenAI(openai) : compatibleProvider(openai);
    return new ProviderEmbedder(id, made.embeddingModel(name), dimensions);
  }
  throw new ConfigError(
    `EMBEDDING_MODEL: no provider answers to ${JSON.stringify(model)}. It is alibaba/… (set DASHSCOPE_API_KEY) or openai/… (set OPENAI_API_KEY or OPENAI_BASE_URL).`,
  );
}

/** Embeds with a model of a provider: calls that fail for a while are made again. */
class ProviderEmbedder implements Embedder {
  readonly model: string;
  readonly batchSize: number;
  readonly parallelCalls: number;
  readonly #model: EmbeddingModelV4;
  readonly #dimensions: number | null;
  /** Until when no call is made. */
  #restsUntil = 0;

  constructor(id: string, model: EmbeddingModelV4, dimensions: number | null) {
    this.model = id;
    this.#model = model;
    this.#dimensions = dimensions;
    // Those of the SDK know both without a call.
    const { maxEmbeddingsPerCall: most, supportsParallelCalls } = model;
    this.batchSize = Math.min(typeof most === 'number' ? most : maxBatchSize, maxBatchSize);
    this.parallelCalls = supportsParallelCalls === true ? maxParallelCalls : 1;
  }

  async embed(texts: readonly string[], use: EmbeddingUse, signal: AbortSignal) {
    // What a provider says of the texts of one is nobody else's business.
    if (this.#restsUntil > Date.now()) throw new EmbeddingError(`${this.model} failed a moment ago.`, false);
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.#once(texts, use, signal);
      } catch (error) {
        signal.throwIfAborted();
        const isUnusable = error instanceof EmbeddingError;
        const wait = isUnusable ? null : waitBeforeRetry(error, this.model, tries, retries);
        if (wait === null) throw this.#fault(error);
        await delay(wait, undefined, { signal });
      }
    }
  }

  #fault(error: unknown): EmbeddingError {
    const { code, message } = faultOf(error, this.model);
    const isFinal = code === 'invalid_request';
    if (!isFinal) this.#restsUntil = Date.now() + restMs;
    return error instanceof EmbeddingError ? error : new EmbeddingError(message, isFinal, { cause: error });
  }

  async #once(texts: readonly string[], use: EmbeddingUse, signal: AbortSignal) {
    const timeout = AbortSignal.timeout(timeoutMs);
    const alibaba = { textType: use, ...(this.#dimensions === null ? {} : { dimension: this.#dimensions }) };
    try {
      const { embeddings, usage } = await this.#model.doEmbed({
        values: [...texts],
        ...(this.#dimensions === null ? {} : { dimensions: this.#dimensions }),
        providerOptions: { alibaba },
        abortSignal: AbortSignal.any([signal, timeout]),
      });
      const vectors = z.array(vectorShape).length(texts.length).safeParse(embeddings);
      if (!vectors.success) throw new EmbeddingError(`The model ${this.model} answered something else.`, false);
      return { vectors: vectors.data, tokens: usage?.tokens ?? 0 };
    } catch (error) {
      if (timeout.aborted) throw new ModelTimeoutError(`The model did not answer for ${timeoutMs / 1000} s.`);
      throw error;
    }
  }
}
