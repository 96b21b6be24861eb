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
 * Files in a folder, which all instances share: `<workspace>/<two digits>/<sha256>-<nonce>`. The nonce keeps bytes that come
 * in from meeting the same bytes on their way out.
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
      // It was staged on another disk: what has a name in the store is whole.
      const part = `${target}.part`;
      try {
        await copyFile(path, part);
        await rename(part, target);
      } catch (fault) {
        // There may be no room for it.
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
    // Both come from the database; a path is made of them all the same only if they look as they should.
    if (!workspaceShape.test(workspaceId) || !keyShape.test(key)) throw new Error(`not a key of this store: ${key}`);
    return join(this.#folder, workspaceId, key.slice(0, 2), key);
  }
}
