import type { Config } from './config/config.ts';
import { FreeSpace } from './files/free-space.ts';
import type { Logger } from './log.ts';

/** The folders whose disks are watched. */
interface Folders {
  files: string;
  /** Of an embedded database; null: there is none on a disk. */
  database: string | null;
}

/** Watches the free space of the disks that a server writes to, until `close`. */
export async function openFreeSpace({ minFreeBytes: minBytes, timing }: Config, folders: Folders, log: Logger) {
  const options = { minBytes, everyMs: timing.request.freeSpaceMs, log };
  const files = await FreeSpace.open(folders.files, options);
  const database = folders.database === null ? null : await FreeSpace.open(folders.database, options);
  const isDatabaseFull = () => database?.isFull === true;
  return {
    files,
    isDatabaseFull,
    /** Throws while one of the disks is full. */
    require: () => {
      if (files.isFull || isDatabaseFull()) throw new Error('a disk has less free space than MIN_FREE_BYTES');
    },
    close: () => {
      files.close();
      database?.close();
    },
  };
}
