import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type FromSandbox, frame, headLength, type ToSandbox } from './protocol.ts';

const require = createRequire(import.meta.url);
/** Where Pyodide is. */
export const pyodideFolder = dirname(require.resolve('pyodide/package.json'));
const here = fileURLToPath(new URL('.', import.meta.url));
const parts = ['pyodide.mjs', 'pyodide.asm.mjs', 'pyodide.asm.wasm', 'python_stdlib.zip', 'pyodide-lock.json'];
const pagesInMb = 16;
/** What an interpreter takes beside its memory: the engine, its code, files. */
const besideMb = 640;
const watchEveryMs = 200;
const maxJsonBytes = 1_000_000;

const told = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['ready', 'snapshot', 'out', 'cut', 'ok']) }),
  z.object({ type: z.literal('missing'), names: z.array(z.string().max(200)).max(1000) }),
  z.object({ type: z.literal('failed'), message: z.string().max(5000) }),
  z.object({
    type: z.literal('done'),
    outcome: z.enum(['ok', 'error', 'timeout']),
    files: z.array(z.object({ path: z.string().min(1).max(4096), size: z.int().min(0) })).max(1000),
    left: z.int().min(0),
  }),
]) as z.ZodType<FromSandbox>;

/** Why an interpreter ended before it answered. */
export type DeathCause = 'killed' | 'memory' | 'crashed' | 'misbehaved';

/** The interpreter is gone, and what it held with it. */
export class InterpreterDiedError extends Error {
  override readonly cause: DeathCause;
  constructor(cause: DeathCause) {
    super(`The interpreter is gone: ${cause}.`);
    this.cause = cause;
  }
}

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

type Waiting = {
  onOutput: ((bytes: Uint8Array) => void) | null;
  resolve: (answer: { message: FromSandbox; body: Buffer }) => void;
  reject: (error: Error) => void;
};

/** Python in a process of its own, which can do nothing but compute. One thing at a time is asked of it. */
export class Interpreter {
  /** Resolves when it can be asked. */
  readonly ready: Promise<Buffer>;
  readonly #child: ChildProcess;
  readonly #maxBody: number;
  readonly #maxRssBytes: number;
  readonly #watch: NodeJS.Timeout;
  #waiting: Waiting | null = null;
  #cause: DeathCause = 'crashed';
  #isAlive = true;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(options: InterpreterOptions) {
    const { memoryMb, fileBytes, makesSnapshot = false } = options;
    this.#maxBody = Math.max(fileBytes, 200_000_000);
    this.#maxRssBytes = (memoryMb + besideMb) * 1_048_576 + fileBytes;
    this.#child = spawn(process.execPath, argumentsFor(options, makesSnapshot), {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
      // A signal for the server, such as Ctrl+C, is not for it.
      detached: true,
    });
    this.ready = this.#expect(null).then(({ body }) => body);
    this.ready.catch(() => {});
    this.#child.stdin?.on('error', () => {});
    const output = this.#child.stdio[3] as Duplex;
    output.on('error', () => {});
    output.on('data', (chunk: Buffer) => this.#take(chunk));
    // What it told before it ended is heard first.
    this.#child.once('close', () => this.#ended());
    this.#child.once('error', () => this.#ended());
    this.#watch = setInterval(() => void this.#checkMemory(), watchEveryMs).unref();
  }

  /** Whether it can still be asked. */
  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Ends it at once, whatever it is at. */
  kill(cause: DeathCause = 'killed'): void {
    if (!this.#isAlive) return;
    this.#cause = cause;
    this.#child.kill('SIGKILL');
  }

  /** Runs when it has ended. */
  onEnd(action: () => void): void {
    if (this.#isAlive) this.#child.once('close', action);
    else action();
  }

  /** Asks; what is printed meanwhile goes to `onOutput`. Throws InterpreterDiedError. */
  async ask(
    message: ToSandbox,
    body: Uint8Array = new Uint8Array(),
    onOutput: ((bytes: Uint8Array) => void) | null = null,
  ): Promise<{ message: FromSandbox; body: Buffer }> {
    await this.ready;
    const answer = this.#expect(onOutput);
    for (const bytes of frame(message, body)) this.#child.stdin?.write(bytes);
    const told = await answer;
    if (told.message.type === 'failed') throw new Error(told.message.message);
    return told;
  }

  #expect(onOutput: Waiting['onOutput']): Promise<{ message: FromSandbox; body: Buffer }> {
    return new Promise((resolve, reject) => {
      if (!this.#isAlive) return reject(new InterpreterDiedError(this.#cause));
      this.#waiting = { onOutput, resolve, reject };
    });
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= headLength) {
      const head = this.#peek(headLength);
      const [json, body] = [head.readUInt32BE(0), head.readUInt32BE(4)];
      if (json > maxJsonBytes || body > this.#maxBody) {
        this.kill('misbehaved');
        return;
      }
      const whole = headLength + json + body;
      if (this.#length < whole) return;
      const bytes = this.#peek(whole);
      this.#chunks = [bytes.subarray(whole)];
      this.#length -= whole;
      this.#hear(bytes.subarray(headLength, headLength + json), bytes.subarray(headLength + json, whole));
    }
  }

  /** The first bytes; at least so many as are asked for. */
  #peek(length: number): Buffer {
    if ((this.#chunks[0]?.length ?? 0) < length) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }

  #hear(json: Buffer, body: Buffer): void {
    const message = read(json);
    if (!message) this.kill('misbehaved');
    if (message?.type === 'out') this.#waiting?.onOutput?.(body);
    if (!message || message.type === 'out' || message.type === 'cut') return;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve({ message, body });
  }

  #ended(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    clearInterval(this.#watch);
    this.#waiting?.reject(new InterpreterDiedError(this.#cause));
    this.#waiting = null;
  }

  /** What its limits do not see, such as memory of JavaScript, the system does (where it tells: Linux). */
  async #checkMemory(): Promise<void> {
    const statm = await readFile(`/proc/${this.#child.pid}/statm`, 'utf8').catch(() => '');
    if (Number(statm.split(' ')[1] ?? 0) * 4096 > this.#maxRssBytes) this.kill('memory');
  }
}

function argumentsFor({ memoryMb, fileBytes, snapshot }: InterpreterOptions, makesSnapshot: boolean): string[] {
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

function read(json: Buffer): FromSandbox | null {
  try {
    return told.parse(JSON.parse(json.toString()));
  } catch {
    return null;
  }
}
