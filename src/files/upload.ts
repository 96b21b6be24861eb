import { readFile } from 'node:fs/promises';
import type { StagedBytes } from './staging.ts';

/** An uploaded file: the value of the GraphQL scalar Upload. */
export class Upload {
  /** '' if the client sent none. */
  readonly name: string;
  /** The MIME type that the client declared. It is not verified. */
  readonly mimeType: string;
  /** null: the file was discarded. */
  readonly bytes: StagedBytes | null;
  /** Why the file was discarded; null: it was not, or is larger than the limit. */
  readonly refusal: Error | null;

  constructor(name: string, mimeType: string, bytes: StagedBytes | null, refusal: Error | null = null) {
    this.name = name;
    this.mimeType = mimeType;
    this.bytes = bytes;
    this.refusal = refusal;
  }

  /** The content, decoded as UTF-8; null: it is larger than `maxBytes`. Throws the refusal of the file. */
  async text(maxBytes: number): Promise<string | null> {
    if (this.refusal) throw this.refusal;
    return this.bytes === null || this.bytes.sizeBytes > maxBytes ? null : readFile(this.bytes.path, 'utf8');
  }
}
