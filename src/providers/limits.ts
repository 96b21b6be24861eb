/** Limits of what a provider can send. Bytes are counted after decompression. */
export const providerLimits = {
  /** Bytes of the body of an error that are read. */
  errorBytes: 64_000,
  /** Bytes of a response that is read whole: vectors, images, a list of models. */
  responseBytes: 32_000_000,
  /** JSON values in one event of a streamed response. */
  eventValues: 10_000,
  /** Bytes of a streamed response whose events are parsed in one turn of the event loop. */
  pieceBytes: 16_384,
  /** Bytes of one image. */
  imageBytes: 20_000_000,
  /** Models in the list of a provider. */
  models: 5000,
} as const;
