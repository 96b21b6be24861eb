/** Whether a text is searched or is the query of a search. Some models embed the two differently. */
export type EmbeddingUse = 'document' | 'query';

/** Computes vectors of texts: texts with a similar meaning have similar vectors. */
export interface Embedder {
  /** `vendor/model`, followed by `@dimensions` where they are set. Only vectors of the same model can be compared. */
  readonly model: string;
  /** The maximum number of texts in a call. */
  readonly batchSize: number;
  /** The maximum number of concurrent calls for one file. */
  readonly parallelCalls: number;
  /** One vector for each text, in order, and the tokens used. Throws EmbeddingError, or the signal's reason when it aborts. */
  embed(
    texts: readonly string[],
    use: EmbeddingUse,
    signal: AbortSignal,
  ): Promise<{ vectors: number[][]; tokens: number }>;
}

/** Texts could not be embedded. Users see the message. */
export class EmbeddingError extends Error {
  /** Whether the same texts would fail again. */
  readonly isFinal: boolean;
  constructor(message: string, isFinal: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isFinal = isFinal;
  }
}
