/** A passage that a file search found. */
export interface FileSearchResult {
  fileId: string;
  fileName: string;
  passageIndex: number;
  page: number | null;
  text: string;
  /** How well the passage matches the query: 0 to 1. */
  score: number;
}
