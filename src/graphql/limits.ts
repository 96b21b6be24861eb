/** Limits of one operation. Characters are UTF-16 code units. */
export const operationLimits = {
  /** Nested fields. */
  depth: 16,
  /** Fields whose cost is counted. A document can spread one fragment in many places. */
  countedFields: 20_000,
  /** Lexical tokens of a document. */
  tokens: 10_000,
  /** Characters in a document, comments included. */
  length: 200_000,
  /** Nested brackets of a document. The parser and the rules recurse for each of them. */
  brackets: 200,
  /** The estimated cost of comparing the fields of a document; a unit takes about a microsecond. */
  comparisons: 50_000,
  /** The same for a document without an accepted credential. Reading the whole schema costs 355. */
  strangerComparisons: 2000,
  /** Nesting of the variables of an operation. Values that are stored may nest less. */
  variableDepth: 200,
  /** Aliases in a document. */
  aliases: 100,
  /** Long values that an operation reads together with their rows. Further ones are read last, within the room of the answer. */
  valuesWithRows: 64,
  /** Nodes on a page, and IDs in one `nodes`. */
  pageSize: 100,
} as const;
