import { readFile } from 'node:fs/promises';
import type { StagedBytes } from './staging.ts';

/** A file that came with a request, as the GraphQL scalar Upload carries it. */
export class Upload {
  readonly name: string;
  /** As the client says; nobody has looked. */
  readonly mimeType: string;
  /** null: it is larger than the limit, and was not kept. */
  readonly bytes: StagedBytes | null;

  constructor(name: string, mimeType: string, bytes: StagedBytes | null) {
    this.name = name;
    this.mimeType = mimeType;
    this.bytes = bytes;
  }

  /** What it holds, as UTF-8; null: that is larger than `maxBytes`. */
  async text(maxBytes: number): Promise<string | null> {
    return this.bytes === null || this.bytes.sizeBytes > maxBytes ? null : readFile(this.bytes.path, 'utf8');
  }
}
