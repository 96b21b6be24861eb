import { join } from 'node:path';
import type { Logger } from '../../log.ts';
import { pythonLimits } from '../limits.ts';
import type { PythonParts } from './code-interpreter.ts';
import { Interpreter } from './interpreter.ts';
import { Packages } from './packages.ts';
import { InterpreterPool } from './pool.ts';
import { openSnapshot } from './snapshot.ts';
import type { InterpreterTiming } from './start-sandbox.ts';
import { WheelFolder, WheelIndex } from './wheel-source.ts';

/** The settings of Python. */
export interface PythonSettings {
  /** The memory of one interpreter, in MiB. */
  memoryMb: number;
  /** The limit of interpreters. */
  sandboxes: number;
  /** The number of interpreters that are kept ready for new threads. */
  ready: number;
  /** How long the interpreter of a thread is kept without use. */
  idleMs: number;
  /** A folder of wheels, or the URL of an index of wheels; null: none. */
  packages: string | null;
  /** The folder of the interpreters' snapshot and of cached wheels. */
  cacheFolder: string;
  timing: InterpreterTiming;
}

/** The interpreters of this server process. Nothing starts before `parts` or `warmUp` is called. */
export class Python {
  readonly #settings: PythonSettings;
  readonly #log: Logger;
  #parts: Promise<PythonParts> | null = null;

  constructor(settings: PythonSettings, log: Logger) {
    this.#settings = settings;
    this.#log = log;
  }

  /** The interpreters and the packages that they can install. Throws the errors of listing wheels. */
  parts(): Promise<PythonParts> {
    this.#parts ??= this.#open();
    // The caller receives the error, and the next call tries again.
    this.#parts.catch(() => {
      this.#parts = null;
    });
    return this.#parts;
  }

  /** Starts the ready interpreters, so that the first call does not wait for them. */
  warmUp(): void {
    this.parts().catch((error) => this.#log.error({ err: error }, 'Python start failed'));
  }

  async #open(): Promise<PythonParts> {
    const { memoryMb, sandboxes, ready, idleMs, packages, cacheFolder, timing } = this.#settings;
    const opened = packages === null ? null : await this.#openPackages(packages);
    const snapshot = await openSnapshot(cacheFolder, memoryMb, timing).catch((error) => {
      this.#log.warn({ err: error }, 'Python snapshot failed: interpreters take seconds to start');
      return null;
    });
    const start = () => new Interpreter({ memoryMb, fileBytes: pythonLimits.interpreterFileBytes, snapshot }, timing);
    return { pool: new InterpreterPool({ max: sandboxes, ready, idleMs, start }), packages: opened, log: this.#log };
  }

  #openPackages(location: string): Promise<Packages> {
    const cache = join(this.#settings.cacheFolder, 'wheels');
    return Packages.open(
      /^https?:/.test(location) ? new WheelIndex(location, cache, this.#log) : new WheelFolder(location),
    );
  }

  /** Ends all interpreters. */
  async close(): Promise<void> {
    await (await this.#parts?.catch(() => null))?.pool.close();
  }
}
