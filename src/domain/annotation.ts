/** A mark on a piece of a message's text, as its row keeps it. Indexes are UTF-16 code units. */
export type Annotation = { startIndex: number; endIndex: number; text: string; fileId: string } & (
  | { type: 'path' }
  | { type: 'citation'; quote: string; score: number }
);
