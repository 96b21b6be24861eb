import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GuardedProcess } from '../../process/guarded-process.ts';

const require = createRequire(import.meta.url);
/** The folder of the installed Pyodide. */
export const pyodideFolder = dirname(require.resolve('pyodide/package.json'));
const here = fileURLToPath(new URL('.', import.meta.url));
const parts = ['pyodide.mjs', 'pyodide.asm.mjs', 'pyodide.asm.wasm', 'python_stdlib.zip', 'pyodide-lock.json'];
const pagesInMb = 16;
const heapMb = 192;
/** The memory of an interpreter beyond Python's own and its files: the engine and its code, in MiB. */
const overheadMb = 640;

/** Node.js 24 has no foreign functions, and refuses the flag. */
const withoutFfi = process.allowedNodeEnvironmentFlags.has('--experimental-ffi') ? ['--no-experimental-ffi'] : [];

/** How an interpreter is started. */
export interface InterpreterOptions {
  /** The limit of Python's memory, in MiB. */
  memoryMb: number;
  /** The limit of all its files together, in bytes. */
  fileBytes: number;
  /** The path of a snapshot to start from; null: it starts from nothing, which takes seconds. */
  snapshot: string | null;
  /** It makes a snapshot and ends. */
  makesSnapshot?: boolean;
}

/** The time limits of an interpreter, in milliseconds. */
export interface InterpreterTiming {
  startMs: number;
  /** Of a request that runs no program. */
  requestMs: number;
  /** Of installing a wheel: some are large, and are compiled. */
  installMs: number;
  /** How long a program may take to stop after its time is over before its process is killed. */
  graceMs: number;
}

/** Starts the process of an interpreter. */
export function startSandbox(options: InterpreterOptions, timing: InterpreterTiming): GuardedProcess {
  const { memoryMb, fileBytes, snapshot, makesSnapshot } = options;
  return new GuardedProcess({
    program: `${here}sandbox.ts`,
    args: [
      pyodideFolder,
      snapshot ?? '',
      String(fileBytes),
      String(interruptAfter(timing.requestMs)),
      String(interruptAfter(timing.installMs)),
      makesSnapshot ? 'snapshot' : '',
    ],
    readable: [here, ...parts.map((part) => `${pyodideFolder}/${part}`), ...(snapshot ? [snapshot] : [])],
    flags: [
      ...withoutFfi,
      '--no-experimental-webstorage',
      '--no-experimental-websocket',
      '--no-experimental-global-navigator',
      '--disable-sigusr1',
      // The sandbox takes away what the permissions do not cover: see sandbox-hardening.ts.
      '--expose-internals',
      '--disable-proto=delete',
      `--wasm-max-mem-pages=${memoryMb * pagesInMb}`,
    ],
    heapMb,
    maxRssBytes: (memoryMb + overheadMb) * 1_048_576 + fileBytes,
    isLowPriority: true,
  });
}

/**
 * When the sandbox interrupts Python for a request whose process is killed after `limitMs`: 10 s before that, or after
 * two thirds of a short limit. An interrupt keeps the variables, and the kill does not.
 */
const interruptAfter = (limitMs: number) => Math.round(Math.max(limitMs - 10_000, (limitMs * 2) / 3));
