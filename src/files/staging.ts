import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A stream had more bytes than its limit. */
export class TooManyBytesError extends Error {
  readonly maxBytes: number;
  constructor(maxBytes: number) {
    super(`More than ${maxBytes} bytes.`);
    this.maxBytes = maxBytes;
  }
}

/** Received bytes that belong to no file yet. */
export interface StagedBytes {
  /** The path on this machine. */
  path: string;
  sha256: string;
  sizeBytes: number;
}

/** Staged bytes older than this belong to a process that died. */
const abandonedMs = 24 * 60 * 60 * 1000;

/** A folder on this machine for received bytes, until they are stored or discarded. */
export class Staging {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Opens the folder and deletes abandoned bytes. */
  static async open(folder: string): Promise<Staging> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
      if (mtimeMs < Date.now() - abandonedMs) await rm(path, { force: true });
    }
    return new Staging(folder);
  }

  /** Writes a stream to the folder. Throws TooManyBytesError and the errors of the stream, and leaves no file in that case. */
  async add(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, maxBytes: number): Promise<StagedBytes> {
    const path = join(this.folder, randomUUID());
    const hash = createHash('sha256');
    let sizeBytes = 0;
    async function* measured() {
      for await (const chunk of bytes) {
        sizeBytes += chunk.length;
        if (sizeBytes > maxBytes) throw new TooManyBytesError(maxBytes);
        hash.update(chunk);
        yield chunk;
      }
    }
    try {
      await pipeline(Readable.from(measured()), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
    return { path, sha256: hash.digest('hex'), sizeBytes };
  }

  /** Deletes staged bytes. Bytes that a store has taken over are not affected. */
  async discard({ path }: StagedBytes): Promise<void> {
    await rm(path, { force: true });
  }
}
