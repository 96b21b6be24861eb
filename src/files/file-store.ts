import type { Readable } from 'node:stream';
import type { StagedBytes } from './staging.ts';

/** A part of a file: from the byte `start` to the byte `end`, both of them with it. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Where the bytes of files are kept. A key is written once and never again; it is found only in the workspace that it was
 * made for. Which of them are still needed, the database says.
 */
export interface FileStore {
  /** Takes staged bytes over; returns the key that they are kept under. The staged ones are gone then. */
  put(workspaceId: string, staged: StagedBytes): Promise<string>;
  /** The bytes as a stream, all or a part. The stream fails when there are none under this key. */
  read(workspaceId: string, key: string, range?: ByteRange): Readable;
  /** Takes bytes out; what is not there is no error. */
  remove(workspaceId: string, key: string): Promise<void>;
}
