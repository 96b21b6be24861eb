import type { EmbeddingModelV4 } from '@ai-sdk/provider';
import { z } from 'zod';
import { retry } from '../async/retry.ts';
import { ConfigError } from '../config/config-error.ts';
import { type Embedder, EmbeddingError, type EmbeddingUse } from './embedder.ts';
import { faultOf, ModelTimeoutError, waitBeforeRetry } from './model-error.ts';
import { either, type Provider, variablesOf } from './vendor.ts';
import { type Providers, splitModel, vendors } from './vendors.ts';

const timeoutMs = 30_000;
const maxTries = 3;
/** Larger batches are not faster, and lose more when a call fails. */
const maxBatchSize = 64;
const maxParallelCalls = 4;
/** How long no call is made after a failed one. */
const pauseMs = 20_000;
/** The maximum of pgvector. */
const maxDimensions = 16_000;
const vectorShape = z
  .array(z.number().min(-1e6).max(1e6))
  .min(1)
  .max(maxDimensions)
  // A zero vector has no direction to compare.
  .refine((vector) => vector.reduce((sum, number) => sum + number * number, 0) > 1e-12);

/** More than any batch has. The sum over the batches of a file must fit into its column. */
const maxTokens = 1_000_000;
/** The tokens of a call as the provider reports them, forced into a range that can be stored and summed. */
const tokensOf = (tokens = 0): number => Math.round(Math.min(Math.max(tokens, 0), maxTokens)) || 0;

/** `model`: `vendor/model`. `dimensions`: of its vectors; null: as many as the model has by default. */
export interface EmbeddingSettings {
  readonly model: string;
  readonly dimensions: number | null;
}

/** Opens an embedding model. Throws ConfigError where no configured provider serves it. */
export function openEmbedder(providers: Providers, settings: EmbeddingSettings): Embedder {
  const { vendor, model } = splitModel(settings.model);
  const provider = providers.get(vendor);
  const opened = provider?.embeddingModel?.(model);
  if (provider && opened) return new ProviderEmbedder(provider, opened, settings);
  const choices = vendors.map((each) => `${each.name}/… (set ${either(variablesOf(each))})`);
  throw new ConfigError(
    `EMBEDDING_MODEL: no configured provider serves ${JSON.stringify(settings.model)}. Use ${either(choices)}.`,
  );
}

/** Embeds with the model of a provider, and retries calls that fail temporarily. */
class ProviderEmbedder implements Embedder {
  readonly model: string;
  readonly batchSize: number;
  readonly parallelCalls: number;
  readonly #provider: Provider;
  readonly #embeddingModel: EmbeddingModelV4;
  readonly #dimensions: number | null;
  /** No call is made before this time. */
  #pausedUntil = 0;

  constructor(provider: Provider, embeddingModel: EmbeddingModelV4, { model, dimensions }: EmbeddingSettings) {
    this.model = dimensions === null ? model : `${model}@${dimensions}`;
    this.#provider = provider;
    this.#embeddingModel = embeddingModel;
    this.#dimensions = dimensions;
    // The SDK allows promises here. The models of its packages have plain values.
    const { maxEmbeddingsPerCall, supportsParallelCalls } = embeddingModel;
    const most = typeof maxEmbeddingsPerCall === 'number' ? maxEmbeddingsPerCall : maxBatchSize;
    this.batchSize = Math.min(most, maxBatchSize);
    this.parallelCalls = supportsParallelCalls === true ? maxParallelCalls : 1;
  }

  async embed(texts: readonly string[], use: EmbeddingUse, signal: AbortSignal) {
    // The message omits the provider's own error: it may be about the texts of another workspace.
    if (this.#pausedUntil > Date.now()) throw new EmbeddingError(`The last call of ${this.model} failed.`, false);
    const wait = (error: unknown, failed: number) =>
      error instanceof EmbeddingError ? null : waitBeforeRetry(error, this.model, failed);
    try {
      return await retry(() => this.#embedOnce(texts, use, signal), { tries: maxTries, wait, signal });
    } catch (error) {
      signal.throwIfAborted();
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): EmbeddingError {
    const { code, message } = faultOf(error, this.model);
    const isFinal = code === 'invalid_request';
    if (!isFinal) this.#pausedUntil = Date.now() + pauseMs;
    return error instanceof EmbeddingError ? error : new EmbeddingError(message, isFinal, { cause: error });
  }

  async #embedOnce(texts: readonly string[], use: EmbeddingUse, signal: AbortSignal) {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const { embeddings, usage } = await this.#embeddingModel.doEmbed({
        values: [...texts],
        ...(this.#dimensions === null ? {} : { dimensions: this.#dimensions }),
        providerOptions: this.#provider.embeddingOptions?.(use, this.#dimensions),
        abortSignal: AbortSignal.any([signal, timeout]),
      });
      const vectors = z.array(vectorShape).length(texts.length).safeParse(embeddings);
      if (!vectors.success) throw new EmbeddingError(`The response of ${this.model} has no usable vectors.`, false);
      return { vectors: vectors.data, tokens: tokensOf(usage?.tokens) };
    } catch (error) {
      if (timeout.aborted) throw new ModelTimeoutError(`The model did not answer for ${timeoutMs / 1000} s.`);
      throw error;
    }
  }
}
