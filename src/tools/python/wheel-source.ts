import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readLimited } from '../../async/read-limited.ts';
import type { Logger } from '../../log.ts';
import { pythonLimits } from '../limits.ts';
import { type LockFile, lockFileName, parseLockFile } from './lock-file.ts';

/** The time limit of loading a wheel. */
const wheelTimeoutMs = 120_000;
/** The time limit of loading a lock file: the first call waits for it. */
const lockTimeoutMs = 10_000;

/** A wheel cannot be read. The message is the reason, for the author of the program. */
export class WheelError extends Error {}

/** A place that has wheels. */
export interface WheelSource {
  /** The names of its files; null: it cannot list them. */
  files(): Promise<Set<string> | null>;
  /** Its own lock file for interpreters with the given ABI; null: it has none that can be used. */
  lockFile(abi: string): Promise<LockFile | null>;
  /** The bytes of a file. `sha256`: the hash that they must have; null: any. Throws WheelError. */
  read(file: string, sha256: string | null): Promise<Uint8Array>;
}

const hasHash = (bytes: Uint8Array, sha256: string | null) =>
  sha256 === null || createHash('sha256').update(bytes).digest('hex') === sha256;
const hashMismatch = (file: string) => new WheelError(`${file} is not the wheel that Pyodide's lock file names`);

/** Parses a lock file for an ABI. Throws WheelError for another ABI, and the errors of `parseLockFile`. */
function lockFileFor(abi: string, text: string): LockFile {
  const read = parseLockFile(text);
  if (read.info.abi_version === abi) return read;
  throw new WheelError(`the lock file is for the ABI ${read.info.abi_version}, not ${abi}`);
}

/** The result of `work`; null when it throws. */
function orNull<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}

/** A folder of the operator that has wheels. */
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
    if (!hasHash(bytes, sha256)) throw hashMismatch(file);
    return bytes;
  }
}

/**
 * The URL of a Pyodide release, such as https://cdn.jsdelivr.net/pyodide/v314.0.7/full, or of the operator's own
 * distribution. It loads only files that a lock file names, and caches them in a folder.
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

  /** Loads the lock file. The cached one is used when that fails or the response is not a lock file. */
  async lockFile(abi: string): Promise<LockFile | null> {
    // Each URL has a cached lock file of its own.
    const cached = `lock-${createHash('sha256').update(this.#url).digest('hex').slice(0, 16)}.json`;
    try {
      const bytes = await this.#load(lockFileName, lockTimeoutMs, pythonLimits.lockFileBytes);
      const read = lockFileFor(abi, bytes.toString());
      await this.#store(cached, bytes);
      return read;
    } catch (error) {
      this.#log.warn({ err: error }, 'wheel index lock file failed to load');
    }
    const last = await readFile(join(this.#cache, cached), 'utf8').catch(() => null);
    // After an update of Pyodide the cached lock file may be for another ABI.
    return last === null ? null : orNull(() => lockFileFor(abi, last));
  }

  async read(file: string, sha256: string | null): Promise<Uint8Array> {
    const cached = await readFile(join(this.#cache, file)).catch(() => null);
    if (cached && hasHash(cached, sha256)) return cached;
    const bytes = await this.#load(file);
    if (!hasHash(bytes, sha256)) throw hashMismatch(file);
    await this.#store(file, bytes);
    return bytes;
  }

  /** Caches a file. A failure is only logged: the file is loaded again the next time. */
  async #store(file: string, bytes: Uint8Array): Promise<void> {
    const part = join(this.#cache, randomUUID());
    try {
      await mkdir(this.#cache, { recursive: true, mode: 0o700 });
      await writeFile(part, bytes, { mode: 0o600 });
      await rename(part, join(this.#cache, file));
    } catch (error) {
      this.#log.warn({ err: error }, 'wheel cache write failed');
      await rm(part, { force: true });
    }
  }

  async #load(file: string, ms = wheelTimeoutMs, maxBytes: number = pythonLimits.wheelBytes): Promise<Buffer> {
    try {
      const response = await fetch(`${this.#url}/${encodeURIComponent(file)}`, {
        signal: AbortSignal.timeout(ms),
      });
      if (response.ok) return await readLimited(response.body, maxBytes);
      await response.body?.cancel();
      throw new WheelError(`${file} could not be loaded: the index responded with status ${response.status}`);
    } catch (error) {
      if (error instanceof WheelError) throw error;
      throw new WheelError(`${file} could not be loaded: the index did not respond`, { cause: error });
    }
  }
}
