// The limits of a run that its user can notice.

/** Calls of one step that the server makes at the same time; the others wait. */
export const callsAtOnce = 8;

/** Characters of the output of one call; the rest is cut. */
export const maxOutputLength = 200_000;

/** Bytes of the images in one prompt; images beyond are replaced by their names, because no provider accepts more. */
export const maxPromptImageBytes = 30_000_000;

/** Tokens of the context window reserved for the answer of a run without `maxCompletionTokens`. */
export const defaultAnswerTokens = 4096;
