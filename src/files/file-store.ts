import type { Readable } from 'node:stream';
import type { StagedBytes } from './staging.ts';

/** A range of bytes of a file. Both `start` and `end` are included. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Stores the bytes of files. A key is written once and never changed, and is valid only in its workspace. The database
 * records which keys are in use.
 */
export interface FileStore {
  /** Moves staged bytes into the store. Returns their key. */
  put(workspaceId: string, staged: StagedBytes): Promise<string>;
  /** The bytes of a key as a stream. The stream fails when the key does not exist. */
  read(workspaceId: string, key: string, range?: ByteRange): Readable;
  /** Deletes a key. A key that does not exist is not an error. */
  remove(workspaceId: string, key: string): Promise<void>;
}
