import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../log.ts';
import { readLimited } from '../read-limited.ts';
import { type LockFile, lockFileName, parseLockFile } from './lock-file.ts';

const timeoutMs = 120_000;
/** The same for a lock file, which a first call waits for. */
const lockTimeoutMs = 10_000;
const maxWheelBytes = 300_000_000;
const maxLockFileBytes = 20_000_000;

/** A wheel cannot be had; the message says why, for whoever imports it. */
export class WheelError extends Error {}

/** Where the files of wheels are. */
export interface WheelSource {
  /** The names of the files that are there; null: any may be. */
  files(): Promise<Set<string> | null>;
  /** What its own lock file says, for interpreters of that binary interface; null: it has none that can be used. */
  lockFile(abi: string): Promise<LockFile | null>;
  /** The bytes of a file. `sha256`: what they must be; null: nobody knows. Throws WheelError. */
  read(file: string, sha256: string | null): Promise<Uint8Array>;
}

const isMeant = (bytes: Uint8Array, sha256: string | null) =>
  sha256 === null || createHash('sha256').update(bytes).digest('hex') === sha256;
const notMeant = (file: string) => new WheelError(`${file} is not the wheel that Pyodide's lock file names`);

/** What a lock file says. Throws where it is none, or for interpreters of another binary interface. */
function meantFor(abi: string, text: string): LockFile {
  const read = parseLockFile(text);
  if (read.info.abi_version === abi) return read;
  throw new WheelError(`it is for the ABI ${read.info.abi_version}, not ${abi}`);
}

function unlessThrown<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}

/** A folder of the operator's. */
export class WheelFolder implements WheelSource {
  readonly #folder: string;
  constructor(folder: string) {
    this.#folder = folder;
  }

  async files(): Promise<Set<string>> {
    return new Set(await readdir(this.#folder));
  }

  async lockFile(): Promise<null> {
    return null;
  }

  async read(file: string, sha256: string | null): Promise<Uint8Array> {
    const bytes = await readFile(join(this.#folder, file)).catch((error) => {
      throw new WheelError(`${file} could not be read`, { cause: error });
    });
    if (!isMeant(bytes, sha256)) throw notMeant(file);
    return bytes;
  }
}

/**
 * The address of a release of Pyodide, such as https://cdn.jsdelivr.net/pyodide/v314.0.7/full, or of a distribution of the operator's.
 * What is loaded from there is what a lock file names, and is kept in a folder.
 */
export class WheelIndex implements WheelSource {
  readonly #url: string;
  readonly #cache: string;
  readonly #log: Logger;
  constructor(url: string, cache: string, log: Logger) {
    this.#url = url;
    this.#cache = cache;
    this.#log = log;
  }

  async files(): Promise<null> {
    return null;
  }

  /** The one that was last read there stands in where it does not answer, or answers something else. */
  async lockFile(abi: string): Promise<LockFile | null> {
    // Those of two addresses do not stand in for each other.
    const kept = `lock-${createHash('sha256').update(this.#url).digest('hex').slice(0, 16)}.json`;
    try {
      const bytes = await this.#load(lockFileName, lockTimeoutMs, maxLockFileBytes);
      const read = meantFor(abi, bytes.toString());
      await this.#keep(kept, bytes);
      return read;
    } catch (error) {
      this.#log.warn({ err: error }, 'the lock file of the index of wheels');
    }
    const last = await readFile(join(this.#cache, kept), 'utf8').catch(() => null);
    // It was written for another Pyodide, where this one has been updated.
    return last === null ? null : unlessThrown(() => meantFor(abi, last));
  }

  async read(file: string, sha256: string | null): Promise<Uint8Array> {
    const kept = await readFile(join(this.#cache, file)).catch(() => null);
    if (kept && isMeant(kept, sha256)) return kept;
    const bytes = await this.#load(file);
    if (!isMeant(bytes, sha256)) throw notMeant(file);
    await this.#keep(file, bytes);
    return bytes;
  }

  /** Keeps what has been loaded; where there is no room it is loaded again the next time. */
  async #keep(file: string, bytes: Uint8Array): Promise<void> {
    const part = join(this.#cache, randomUUID());
    try {
      await mkdir(this.#cache, { recursive: true, mode: 0o700 });
      await writeFile(part, bytes, { mode: 0o600 });
      await rename(part, join(this.#cache, file));
    } catch (error) {
      this.#log.warn({ err: error }, 'a wheel could not be kept');
      await rm(part, { force: true });
    }
  }

  async #load(file: string, ms = timeoutMs, maxBytes = maxWheelBytes): Promise<Buffer> {
    try {
      const response = await fetch(`${this.#url}/${encodeURIComponent(file)}`, {
        signal: AbortSignal.timeout(ms),
      });
      if (response.ok) return await readLimited(response.body, maxBytes);
      await response.body?.cancel();
      throw new WheelError(`${file} could not be loaded: the index answered ${response.status}`);
    } catch (error) {
      if (error instanceof WheelError) throw error;
      throw new WheelError(`${file} could not be loaded: the index did not answer`, { cause: error });
    }
  }
}
