/** A part of a file's text: a page, or the whole text of a file without pages. */
export interface ReadPart {
  text: string;
  /** The number of the page, from 1; null: the file has no pages. */
  page: number | null;
  /** The part of the file that has been read so far: 0 to 1. */
  progress: number;
}

/** A message of the process that reads a file. */
export type ReaderMessage = ({ type: 'part' } & ReadPart) | { type: 'done' } | { type: 'failed'; message: string };

/** A file cannot be read. The message is the reason, for the user who uploaded it. */
export class UnreadableError extends Error {}
