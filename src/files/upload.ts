import { readFile } from 'node:fs/promises';
import type { StagedBytes } from './staging.ts';

/** An uploaded file: the value of the GraphQL scalar Upload. */
export class Upload {
  readonly name: string;
  /** The MIME type that the client declared. It is not verified. */
  readonly mimeType: string;
  /** null: the file is larger than the limit and was discarded. */
  readonly bytes: StagedBytes | null;

  constructor(name: string, mimeType: string, bytes: StagedBytes | null) {
    this.name = name;
    this.mimeType = mimeType;
    this.bytes = bytes;
  }

  /** The content, decoded as UTF-8; null: it is larger than `maxBytes`. */
  async text(maxBytes: number): Promise<string | null> {
    return this.bytes === null || this.bytes.sizeBytes > maxBytes ? null : readFile(this.bytes.path, 'utf8');
  }
}
