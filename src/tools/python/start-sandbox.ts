import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { setPriority } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
/** Where Pyodide is. */
export const pyodideFolder = dirname(require.resolve('pyodide/package.json'));
const here = fileURLToPath(new URL('.', import.meta.url));
const parts = ['pyodide.mjs', 'pyodide.asm.mjs', 'pyodide.asm.wasm', 'python_stdlib.zip', 'pyodide-lock.json'];
const pagesInMb = 16;

/** How an interpreter is started. */
export interface InterpreterOptions {
  memoryMb: number;
  /** What its files may hold together, in bytes. */
  fileBytes: number;
  /** A snapshot to start from; null: it starts from nothing, which takes seconds. */
  snapshot: string | null;
  /** It makes a snapshot, and ends. */
  makesSnapshot?: boolean;
}

/** Starts the process of an interpreter: what it is told goes to its input, what it tells comes from its descriptor 3. */
export function startSandbox(options: InterpreterOptions): ChildProcess {
  const child = spawn(process.execPath, argumentsFor(options), {
    env: {},
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    // A signal for the server, such as Ctrl+C, is not for it.
    detached: true,
  });
  lowerPriority(child.pid);
  return child;
}

/** Whatever else the machine has to do goes first, and where memory runs out, this goes first. */
function lowerPriority(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, 5);
  } catch {
    // It is gone already, or the system does not let us.
  }
  writeFile(`/proc/${pid}/oom_score_adj`, '1000').catch(() => {});
}

function argumentsFor({ memoryMb, fileBytes, snapshot, makesSnapshot }: InterpreterOptions): string[] {
  const readable = [here, ...parts.map((part) => `${pyodideFolder}/${part}`), ...(snapshot ? [snapshot] : [])];
  return [
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    '--no-addons',
    // It would reach files past the permissions.
    '--no-experimental-sqlite',
    '--no-experimental-ffi',
    '--no-experimental-webstorage',
    '--no-experimental-websocket',
    '--no-experimental-global-navigator',
    '--disable-sigusr1',
    // For the sandbox to take away what the permissions do not cover.
    '--expose-internals',
    '--disallow-code-generation-from-strings',
    '--disable-proto=delete',
    '--no-warnings',
    `--wasm-max-mem-pages=${memoryMb * pagesInMb}`,
    '--max-old-space-size=192',
    `${here}sandbox.ts`,
    pyodideFolder,
    snapshot ?? '',
    String(fileBytes),
    makesSnapshot ? 'snapshot' : '',
  ];
}
