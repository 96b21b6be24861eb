/** What texts are embedded for: to be found, or to find others. Some models tell the two apart. */
export type EmbeddingUse = 'document' | 'query';

/** Makes vectors of texts, so that those that mean the same are near each other. */
export interface Embedder {
  /** Which model, as `provider/model`, with its dimensions where they are set. Only vectors of one model can be compared. */
  readonly model: string;
  /** How many texts one call takes. */
  readonly batchSize: number;
  /** How many calls are made at a time for one file. */
  readonly parallelCalls: number;
  /** One vector for each text, in order, and how many tokens that took. Throws EmbeddingError; the signal's reason when it aborts. */
  embed(
    texts: readonly string[],
    use: EmbeddingUse,
    signal: AbortSignal,
  ): Promise<{ vectors: number[][]; tokens: number }>;
}

/** Texts could not be embedded; the message says why, for whoever brought them. */
export class EmbeddingError extends Error {
  /** Whether it is of no use to try these texts again. */
  readonly isFinal: boolean;
  constructor(message: string, isFinal: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isFinal = isFinal;
  }
}
