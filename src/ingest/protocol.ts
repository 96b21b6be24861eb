/** What is read of a file: a page, or a part of a file that has no pages. */
export interface ReadPart {
  text: string;
  /** From 1; null: the file has no pages. */
  page: number | null;
  /** How much of the file has been read by then: 0 to 1. */
  progress: number;
}

/** What the reading process tells, a line of JSON each. */
export type ReaderMessage = ({ type: 'part' } & ReadPart) | { type: 'done' } | { type: 'failed'; message: string };

/** A file cannot be read; the message says why, for whoever uploaded it. */
export class UnreadableError extends Error {}
