import type { Readable } from 'node:stream';
import type { FileSearchResult } from './search-result.ts';

/** A file that a call can read. */
export interface InputFile {
  id: string;
  name: string;
  sizeBytes: number;
}

/** What the server offers to a call of one of its tools: the output, the files of the run, file search, the user's token. */
export interface CallContext {
  workspaceId: string;
  threadId: string;
  /** The end user to whose share of interpreters the call counts; '': no end user. */
  slotOwner: string;
  callId: string;
  /** Aborts when the run is cancelled or expires, or the worker stops or loses its lease. */
  signal: AbortSignal;
  /** Appends to the output. Subscribers receive it at once, the model when the call has ended. */
  write(text: string): void;
  /** The files of the thread, its messages and its assistant, and those that its runs wrote; oldest first. */
  inputFiles(): Promise<InputFile[]>;
  readFile(file: InputFile): Promise<Readable>;
  /** Stores a file that the call wrote. Throws ToolError if a quota or the size limit is exceeded. */
  saveFile(name: string, mimeType: string | null, bytes: Uint8Array): Promise<InputFile>;
  /** The mark with which an answer cites a search result of this call; `rank` counts from 1. */
  markOf(rank: number): Promise<string>;
  /** Searches the files of the thread and of its assistant; the best results first. */
  searchFiles(query: string, maxResults: number): Promise<FileSearchResult[]>;
  /** The token of the run's user for a plugin; null: the run has none. */
  userToken(pluginId: string): string | null;
}
