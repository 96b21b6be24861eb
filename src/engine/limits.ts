/** Limits of the execution of a run that its user can meet. */
export const engineLimits = {
  /** Calls of one step that the server makes at the same time; the others wait. */
  callsAtOnce: 8,
  /** Calls of one answer beyond the limit of calls that are counted; then the answer counts as complete. */
  surplusCalls: 10_000,
  /** Bytes of a response beside its content, beyond twice the limit of a text: comments, empty parts, unknown fields. */
  silentBytes: 2_000_000,
  /** Bytes around the content of one part that do not count to them. */
  partBytes: 8000,
  /** Characters in the output of one call; the rest is cut off. */
  callOutput: 200_000,
  /** Bytes of the images in one prompt; names replace further images, because no provider accepts more. */
  promptImageBytes: 30_000_000,
  /** Tokens of the context window reserved for the answer of a run without `maxCompletionTokens`. */
  defaultAnswerTokens: 4096,
} as const;
