import { join } from 'node:path';
import type { Logger } from '../../log.ts';
import type { PythonParts } from './code-interpreter.ts';
import { Interpreter } from './interpreter.ts';
import { Packages } from './packages.ts';
import { InterpreterPool } from './pool.ts';
import { openSnapshot } from './snapshot.ts';
import type { InterpreterTiming } from './start-sandbox.ts';
import { WheelFolder, WheelIndex } from './wheel-source.ts';

/** What the files of an interpreter may hold together. */
const fileBytes = 268_435_456;

/** How Python is run here. */
export interface PythonSettings {
  memoryMb: number;
  sandboxes: number;
  /** How many interpreters wait for threads that have none. */
  ready: number;
  idleMs: number;
  /** A folder of wheels, or the address of an index of them; null: none. */
  packages: string | null;
  /** Where the snapshot is kept that interpreters start from, and wheels that were loaded. */
  cacheFolder: string;
  timing: InterpreterTiming;
}

/** The interpreters of a process. Nothing is started before it is asked for. */
export class Python {
  readonly #settings: PythonSettings;
  readonly #log: Logger;
  #parts: Promise<PythonParts> | null = null;

  constructor(settings: PythonSettings, log: Logger) {
    this.#settings = settings;
    this.#log = log;
  }

  /** The interpreters and what they can install. Throws what looking for wheels throws. */
  parts(): Promise<PythonParts> {
    this.#parts ??= this.#open();
    // Whoever needs it is told; the next one tries again.
    this.#parts.catch(() => {
      this.#parts = null;
    });
    return this.#parts;
  }

  /** Starts what waits for the first call. */
  warmUp(): void {
    this.parts().catch((error) => this.#log.error({ err: error }, 'python'));
  }

  async #open(): Promise<PythonParts> {
    const { memoryMb, sandboxes, ready, idleMs, packages, cacheFolder, timing } = this.#settings;
    const opened = packages === null ? null : await this.#openPackages(packages);
    const snapshot = await openSnapshot(cacheFolder, memoryMb, timing).catch((error) => {
      this.#log.warn({ err: error }, 'no snapshot of Python could be made: interpreters take seconds to start');
      return null;
    });
    const start = () => new Interpreter({ memoryMb, fileBytes, snapshot }, timing);
    return { pool: new InterpreterPool({ max: sandboxes, ready, idleMs, start }), packages: opened, log: this.#log };
  }

  #openPackages(where: string): Promise<Packages> {
    const cache = join(this.#settings.cacheFolder, 'wheels');
    return Packages.open(/^https?:/.test(where) ? new WheelIndex(where, cache, this.#log) : new WheelFolder(where));
  }

  /** Ends all interpreters. */
  async close(): Promise<void> {
    await (await this.#parts?.catch(() => null))?.pool.close();
  }
}
