import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { ByteRange, FileStore } from './file-store.ts';
import type { StagedBytes } from './staging.ts';

const workspaceShape = /^ws_[0-9a-z]{1,40}$/;
const keyShape = /^[0-9a-f]{64}-[0-9a-f]{16}$/;

/**
 * Stores files in a folder that all instances share: `<workspace>/<two digits>/<sha256>-<nonce>`. Because of the nonce, an
 * upload never writes to the path of equal bytes that are being deleted.
 */
export class DiskFileStore implements FileStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(workspaceId: string, { path, sha256 }: StagedBytes): Promise<string> {
    const key = `${sha256}-${randomBytes(8).toString('hex')}`;
    const target = this.#pathOf(workspaceId, key);
    await mkdir(join(target, '..'), { recursive: true, mode: 0o700 });
    await rename(path, target).catch(async (error) => {
      if (error.code !== 'EXDEV') throw error;
      // The staging folder is on another disk. The rename at the end keeps partial files from having a key.
      const part = `${target}.part`;
      try {
        await copyFile(path, part);
        await rename(part, target);
      } catch (fault) {
        await rm(part, { force: true });
        throw fault;
      }
      await rm(path);
    });
    return key;
  }

  read(workspaceId: string, key: string, range?: ByteRange): Readable {
    return createReadStream(this.#pathOf(workspaceId, key), range);
  }

  async remove(workspaceId: string, key: string): Promise<void> {
    await rm(this.#pathOf(workspaceId, key), { force: true });
  }

  #pathOf(workspaceId: string, key: string): string {
    // Both come from the database. The check is a second barrier against path traversal.
    if (!workspaceShape.test(workspaceId) || !keyShape.test(key)) throw new Error(`malformed file key: ${key}`);
    return join(this.#folder, workspaceId, key.slice(0, 2), key);
  }
}
