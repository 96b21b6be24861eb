import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newSecret } from './key-secret.ts';

/** Generated secrets: files in the data folder that only their owner can read (mode 600). In memory nothing is kept. */
export class SecretFiles {
  readonly #folder: string;
  readonly #inMemory: boolean;

  constructor(folder: string, inMemory: boolean) {
    this.#folder = folder;
    this.#inMemory = inMemory;
  }

  /** The kept secret; null: there is none. */
  async read(name: string): Promise<string | null> {
    if (this.#inMemory) return null;
    const text = await readFile(join(this.#folder, name), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    return text.trim() || null;
  }

  /** Generates a secret and keeps it. */
  async make(name: string): Promise<string> {
    const secret = newSecret();
    if (this.#inMemory) return secret;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await writeFile(join(this.#folder, name), `${secret}\n`, { mode: 0o600 });
    return secret;
  }

  async forget(name: string): Promise<void> {
    if (!this.#inMemory) await rm(join(this.#folder, name), { force: true });
  }
}
