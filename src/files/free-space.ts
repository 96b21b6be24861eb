import { statfs } from 'node:fs/promises';
import type { Logger } from '../log.ts';

interface FreeSpaceOptions {
  /** The free bytes below which the disk counts as full. */
  minBytes: number;
  /** How often the free bytes are read, in milliseconds. */
  everyMs: number;
  log: Logger;
}

/** Whether the disk of a folder is nearly full. */
export class FreeSpace {
  readonly #folder: string;
  readonly #options: FreeSpaceOptions;
  readonly #timer: NodeJS.Timeout;
  #isFull = false;

  private constructor(folder: string, options: FreeSpaceOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#timer = setInterval(() => void this.#read(), options.everyMs).unref();
  }

  /** Starts to watch the disk of an existing folder. */
  static async open(folder: string, options: FreeSpaceOptions): Promise<FreeSpace> {
    const space = new FreeSpace(folder, options);
    await space.#read();
    return space;
  }

  /** Whether fewer bytes than the least were free when they were last read. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Never rejects: a disk whose state cannot be read keeps its last one. */
  async #read(): Promise<void> {
    const { minBytes, log } = this.#options;
    const folder = this.#folder;
    try {
      const { bavail, bsize } = await statfs(folder);
      const freeBytes = bavail * bsize;
      const isFull = freeBytes < minBytes;
      if (isFull && !this.#isFull) log.error({ folder, freeBytes, minBytes }, 'the disk is full');
      if (!isFull && this.#isFull) log.info({ folder, freeBytes }, 'the disk has room again');
      this.#isFull = isFull;
    } catch (error) {
      log.warn({ err: error, folder }, 'the free space of the disk is unknown');
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
