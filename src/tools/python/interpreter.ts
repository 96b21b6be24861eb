import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { type FromSandbox, frame, headLength, type RunRequest, type ToSandbox } from './protocol.ts';
import { type InterpreterOptions, startSandbox } from './start-sandbox.ts';

/** What an interpreter takes beside its memory: the engine, its code, files. */
const besideMb = 640;
const watchEveryMs = 200;
const maxJsonBytes = 1_000_000;

const told = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['ready', 'snapshot', 'out', 'ok']) }),
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
export type DeathCause = 'killed' | 'late' | 'memory' | 'crashed' | 'misbehaved';

/** How a program ended. */
export type Done = Extract<FromSandbox, { type: 'done' }>;

/** Something went wrong in the sandbox, in its words. */
export class SandboxError extends Error {}

/** The interpreter is gone, and what it held with it. */
export class InterpreterDiedError extends Error {
  override readonly cause: DeathCause;
  constructor(cause: DeathCause) {
    super(`The interpreter is gone: ${cause}.`);
    this.cause = cause;
  }
}

/** What is waited for: an answer of a type, within a time, with so much beside it. */
interface Expectation {
  type: FromSandbox['type'];
  ms: number;
  /** How large the body of the answer may be. */
  bodyBytes: number;
  /** How much may be printed before it. */
  outputBytes: number;
  onOutput: (bytes: Uint8Array) => void;
}

interface Waiting extends Expectation {
  timer: NodeJS.Timeout;
  resolve: (answer: { message: FromSandbox; body: Buffer }) => void;
  reject: (error: Error) => void;
}

/** The time limits of an interpreter, in milliseconds. */
export interface InterpreterTiming {
  startMs: number;
  /** Of a request that runs no program. */
  requestMs: number;
  /** Of installing a wheel: some are large, and are compiled. */
  installMs: number;
  /** How long a program may take to stop after its time is over. */
  graceMs: number;
}

const maxSnapshotBytes = 200_000_000;
/** The smallest pieces of output that an honest sandbox sends are seldom: so many frames come with one answer at most. */
const maxFrames = 50_000;
const nothing = { bodyBytes: 0, outputBytes: 0, onOutput: () => {} };

/** Python in a process of its own, which can do nothing but compute. One thing at a time is asked of it. */
export class Interpreter {
  /** Resolves when it can be asked. */
  readonly ready: Promise<Buffer>;
  readonly #child: ChildProcess;
  readonly #timing: InterpreterTiming;
  readonly #maxRssBytes: number;
  readonly #watch: NodeJS.Timeout;
  #waiting: Waiting | null = null;
  #cause: DeathCause = 'crashed';
  #isAlive = true;
  #isKilled = false;
  #frames = 0;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(options: InterpreterOptions, timing: InterpreterTiming) {
    this.#timing = timing;
    const { memoryMb, fileBytes, makesSnapshot = false } = options;
    this.#maxRssBytes = (memoryMb + besideMb) * 1_048_576 + fileBytes;
    this.#child = startSandbox(options);
    const first = makesSnapshot
      ? ({ type: 'snapshot', bodyBytes: maxSnapshotBytes } as const)
      : ({ type: 'ready' } as const);
    this.ready = this.#expect({ ...nothing, ms: timing.startMs, ...first }).then(({ body }) => body);
    this.ready.catch(() => {});
    this.#child.stdin?.on('error', () => {});
    const output = this.#child.stdio[3] as Duplex;
    output.on('error', () => {});
    output.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    // What it told before it ended is heard first.
    this.#child.once('close', () => this.#ended());
    this.#child.once('error', () => this.#ended());
    this.#watch = setInterval(() => void this.#checkMemory(), watchEveryMs).unref();
  }

  /** Whether it can still be asked. */
  get isAlive(): boolean {
    return this.#isAlive && !this.#isKilled;
  }

  /** Ends it at once, whatever it is at. */
  kill(cause: DeathCause = 'killed'): void {
    if (!this.isAlive) return;
    this.#isKilled = true;
    this.#cause = cause;
    this.#child.kill('SIGKILL');
  }

  /** Runs when it has ended. */
  onEnd(action: () => void): void {
    if (this.#isAlive) this.#child.once('close', action);
    else action();
  }

  /** Runs a program; what it prints goes to `onOutput`. Returns how it ended, and the bytes of the files that it wrote. */
  async run(request: RunRequest, onOutput: Expectation['onOutput']): Promise<{ done: Done; body: Buffer }> {
    const { seconds, outputBytes, fileBytes: bodyBytes } = request;
    const expected = {
      type: 'done',
      ms: seconds * 1000 + this.#timing.graceMs,
      bodyBytes,
      outputBytes,
      onOutput,
    } as const;
    const { message, body } = await this.#ask(request, new Uint8Array(), expected);
    return { done: message as Done, body };
  }

  /** Writes a file below /mnt/data. Throws SandboxError when there is no room for it. */
  async put(path: string, bytes: Uint8Array): Promise<void> {
    await this.#ask({ type: 'put', path }, bytes, { ...nothing, type: 'ok', ms: this.#timing.requestMs });
  }

  /** The names of modules that a program imports and that are not there. */
  async missing(code: string): Promise<string[]> {
    const expected = { ...nothing, type: 'missing', ms: this.#timing.requestMs } as const;
    const { message } = await this.#ask({ type: 'imports', code }, new Uint8Array(), expected);
    return (message as Extract<FromSandbox, { type: 'missing' }>).names;
  }

  /** Installs a wheel. Throws SandboxError when it cannot be. */
  async install(name: string, wheel: Uint8Array): Promise<void> {
    await this.#ask({ type: 'install', name }, wheel, { ...nothing, type: 'ok', ms: this.#timing.installMs });
  }

  /** Throws InterpreterDiedError, and SandboxError when it answers that something went wrong. */
  async #ask(message: ToSandbox, body: Uint8Array, expected: Expectation) {
    await this.ready;
    const answer = this.#expect(expected);
    for (const bytes of frame(message, body)) this.#child.stdin?.write(bytes);
    const { message: told, body: rest } = await answer;
    if (told.type === 'failed') throw new SandboxError(told.message);
    return { message: told, body: rest };
  }

  #expect(expected: Expectation): Promise<{ message: FromSandbox; body: Buffer }> {
    return new Promise((resolve, reject) => {
      if (!this.isAlive) return reject(new InterpreterDiedError(this.#cause));
      this.#frames = 0;
      const timer = setTimeout(() => this.kill('late'), expected.ms).unref();
      this.#waiting = { ...expected, timer, resolve, reject };
    });
  }

  #onBytes(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= headLength) {
      const head = this.#peek(headLength);
      const [json, body] = [head.readUInt32BE(0), head.readUInt32BE(4)];
      if (json > maxJsonBytes || body > this.#largestBody) {
        this.kill('misbehaved');
        return;
      }
      const whole = headLength + json + body;
      if (this.#length < whole) return;
      const bytes = this.#peek(whole);
      this.#chunks = [bytes.subarray(whole)];
      this.#length -= whole;
      this.#onFrame(bytes.subarray(headLength, headLength + json), bytes.subarray(headLength + json, whole));
    }
  }

  /** The first bytes; at least so many as are asked for. */
  #peek(length: number): Buffer {
    if ((this.#chunks[0]?.length ?? 0) < length) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }

  /** How large a body may be now: nobody keeps more than is expected. */
  get #largestBody(): number {
    const { bodyBytes = 0, outputBytes = 0 } = this.#waiting ?? {};
    return Math.max(bodyBytes, outputBytes);
  }

  #onFrame(json: Buffer, body: Buffer): void {
    const waiting = this.#waiting;
    const message = read(json);
    this.#frames += 1;
    if (message?.type === 'out' && waiting && this.#frames <= maxFrames) {
      waiting.outputBytes -= body.length;
      if (waiting.outputBytes >= 0) waiting.onOutput(body);
      else this.kill('misbehaved');
      return;
    }
    const isExpected = message?.type === 'failed' || message?.type === waiting?.type;
    if (!message || !waiting || !isExpected || body.length > waiting.bodyBytes) {
      this.kill('misbehaved');
      return;
    }
    this.#waiting = null;
    clearTimeout(waiting.timer);
    waiting.resolve({ message, body });
  }

  #ended(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    clearInterval(this.#watch);
    clearTimeout(this.#waiting?.timer);
    this.#waiting?.reject(new InterpreterDiedError(this.#cause));
    this.#waiting = null;
  }

  /** What its limits do not see, such as memory of JavaScript, the system does (where it tells: Linux). */
  async #checkMemory(): Promise<void> {
    const statm = await readFile(`/proc/${this.#child.pid}/statm`, 'utf8').catch(() => '');
    if (Number(statm.split(' ')[1] ?? 0) * 4096 > this.#maxRssBytes) this.kill('memory');
  }
}

function read(json: Buffer): FromSandbox | null {
  try {
    return told.parse(JSON.parse(json.toString()));
  } catch {
    return null;
  }
}
