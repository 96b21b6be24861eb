/** Limits of one operation. Characters are UTF-16 code units. */
export const operationLimits = {
  /** Nested fields. */
  depth: 16,
  /** The approximate number of values in the response. */
  cost: 30_000,
  /** Lexical tokens of a document. */
  tokens: 10_000,
  /** Characters in a document, comments included. */
  length: 200_000,
  /** Aliases in a document. */
  aliases: 100,
  /** Nodes on a page, and IDs in one `nodes`. */
  pageSize: 100,
} as const;
