import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** More bytes came than are taken. */
export class TooManyBytesError extends Error {
  readonly maxBytes: number;
  constructor(maxBytes: number) {
    super(`More than ${maxBytes} bytes.`);
    this.maxBytes = maxBytes;
  }
}

/** Bytes that have come in and belong to no file yet. */
export interface StagedBytes {
  /** Where they are on this machine. */
  path: string;
  sha256: string;
  sizeBytes: number;
}

/** What is older belongs to a process that died before it was done with it. */
const abandonedMs = 24 * 60 * 60 * 1000;

/** A folder on this machine where bytes wait until it is known what becomes of them. */
export class Staging {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Opens the folder, and clears it of what nobody will come back for. */
  static async open(folder: string): Promise<Staging> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
      if (mtimeMs < Date.now() - abandonedMs) await rm(path, { force: true });
    }
    return new Staging(folder);
  }

  /** Writes a stream to the folder, as it comes. Throws TooManyBytesError, and what the stream throws; then nothing is left. */
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

  /** Forgets bytes that became nothing; those that have been taken are gone already. */
  async discard({ path }: StagedBytes): Promise<void> {
    await rm(path, { force: true });
  }
}
