/** Limits of the execution of a run that its user can meet. */
export const engineLimits = {
  /** Calls of one step that the server makes at the same time; the others wait. */
  callsAtOnce: 8,
  /** Calls of one answer beyond the limit of calls that are counted; then the answer counts as complete. */
  surplusCalls: 100,
  /** Bytes of a response beside its content, beyond twice the limit of a text: comments, empty parts, unknown fields. */
  silentBytes: 2_000_000,
  /** Bytes around the content of one part that do not count to them. */
  partBytes: 8000,
  /** Bytes that the models of one end user may send in a second, on average. */
  userBytesPerSecond: 512_000,
  /** Bytes that the models of one end user may send beyond the average before it waits. */
  userBurstBytes: 4_000_000,
  /** Seconds of the average that an end user can owe at most. */
  userDebtSeconds: 30,
  /** Bytes that a call of a model counts as, beside its response: what it costs to start. */
  callBytes: 128_000,
  /** Milliseconds that a response is not read at a time, so that its provider keeps the connection. */
  pauseMs: 5000,
  /** End users whose recent answers are remembered. */
  pacedUsers: 10_000,
  /** Characters in the output of one call; the rest is cut off. */
  callOutput: 200_000,
  /** Bytes of the images in one prompt; names replace further images, because no provider accepts more. */
  promptImageBytes: 30_000_000,
  /** Tokens of the context window reserved for the answer of a run without `maxCompletionTokens`. */
  defaultAnswerTokens: 4096,
} as const;
