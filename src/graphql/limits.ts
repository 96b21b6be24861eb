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
  /** Nested brackets of a document. The parser and the rules recurse for each of them. */
  brackets: 200,
  /** The estimated cost of comparing the fields of a document; a unit takes about a microsecond. */
  comparisons: 100_000,
  /** Nesting of the variables of an operation. Values that are stored may nest less. */
  variableDepth: 200,
  /** Aliases in a document. */
  aliases: 100,
  /** Nodes on a page, and IDs in one `nodes`. */
  pageSize: 100,
} as const;
