import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

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

/** The room that a stream of bytes may take in the staging folder. */
export interface StagingRoom {
  /** Takes room for more bytes. Throws the error that refuses them. */
  take(bytes: number): void;
  /** Returns room that was taken. */
  give(bytes: number): void;
}

/** Staged bytes that were not written for this long belong to a process that died: no request takes as long. */
const abandonedMs = 60 * 60 * 1000;

const noLimit: StagingRoom = { take: () => {}, give: () => {} };

/** A folder on this machine for received bytes, until they are stored or discarded. */
export class Staging {
  readonly folder: string;
  /** The room of staged bytes, by their paths. */
  readonly #rooms = new Map<string, { room: StagingRoom; bytes: number }>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Opens the folder and deletes abandoned bytes. */
  static async open(folder: string): Promise<Staging> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const staging = new Staging(folder);
    await staging.deleteAbandoned();
    return staging;
  }

  /** Deletes the bytes of processes that died. */
  async deleteAbandoned(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      const path = join(this.folder, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
      if (mtimeMs < Date.now() - abandonedMs) await rm(path, { force: true });
    }
  }

  /**
   * Writes a stream to the folder. Throws TooManyBytesError, the errors of the stream, of the disk and of `room`, and leaves
   * no file in that case. `room`: what its bytes are counted in until they are discarded.
   */
  async add(
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    maxBytes: number,
    room: StagingRoom = noLimit,
  ): Promise<StagedBytes> {
    const path = join(this.folder, randomUUID());
    const entry = { room, bytes: 0 };
    this.#rooms.set(path, entry);
    const hash = createHash('sha256');
    try {
      await using file = await open(path, 'wx', 0o600);
      for await (const chunk of bytes) {
        if (entry.bytes + chunk.length > maxBytes) throw new TooManyBytesError(maxBytes);
        room.take(chunk.length);
        entry.bytes += chunk.length;
        hash.update(chunk);
        await file.writeFile(chunk);
      }
    } catch (error) {
      await this.discard({ path });
      throw error;
    }
    return { path, sha256: hash.digest('hex'), sizeBytes: entry.bytes };
  }

  /** Deletes staged bytes and returns their room. Bytes that a store has taken over are not affected. */
  async discard({ path }: Pick<StagedBytes, 'path'>): Promise<void> {
    const entry = this.#rooms.get(path);
    this.#rooms.delete(path);
    try {
      await rm(path, { force: true });
    } finally {
      entry?.room.give(entry.bytes);
    }
  }
}
