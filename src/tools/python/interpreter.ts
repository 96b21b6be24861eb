import { z } from 'zod';
import type { EndCause, GuardedProcess } from '../../process/guarded-process.ts';
import { type FromSandbox, frame, headLength, type RunRequest, type ToSandbox } from './protocol.ts';
import { type InterpreterOptions, type InterpreterTiming, startSandbox } from './start-sandbox.ts';

const maxJsonBytes = 1_000_000;

const messageShape = z.discriminatedUnion('type', [
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

/** How a program ended. */
export type Done = Extract<FromSandbox, { type: 'done' }>;

/** The sandbox reports an error. The message is the sandbox's own. */
export class SandboxError extends Error {}

/** The interpreter ended, and its variables and files are lost. */
export class InterpreterDiedError extends Error {
  override readonly cause: EndCause;
  constructor(cause: EndCause) {
    super(`The interpreter ended: ${cause}.`);
    this.cause = cause;
  }
}

/** The answer that is awaited, with its limits. */
interface Expectation {
  type: FromSandbox['type'];
  /** The time limit, in milliseconds. */
  ms: number;
  /** The limit of the answer's body, in bytes. */
  bodyBytes: number;
  /** The limit of the output before the answer, in bytes. */
  outputBytes: number;
  onOutput: (bytes: Uint8Array) => void;
}

interface Waiting extends Expectation {
  resolve: (answer: { message: FromSandbox; body: Buffer }) => void;
  reject: (error: Error) => void;
}

const maxSnapshotBytes = 200_000_000;
/** The limit of frames before one answer. An honest sandbox collects its output and stays far below it. */
const maxFrames = 50_000;
const nothing = { bodyBytes: 0, outputBytes: 0, onOutput: () => {} };

/** Python in a guarded process. It takes one request at a time. */
export class Interpreter {
  /** Resolves when the interpreter takes requests; with the bytes of the snapshot if it makes one. */
  readonly ready: Promise<Buffer>;
  readonly #process: GuardedProcess;
  readonly #timing: InterpreterTiming;
  #waiting: Waiting | null = null;
  #frames = 0;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(options: InterpreterOptions, timing: InterpreterTiming) {
    this.#timing = timing;
    this.#process = startSandbox(options, timing);
    const first = options.makesSnapshot
      ? ({ type: 'snapshot', bodyBytes: maxSnapshotBytes } as const)
      : ({ type: 'ready' } as const);
    this.ready = this.#expect({ ...nothing, ms: timing.startMs, ...first }).then(({ body }) => body);
    this.ready.catch(() => {});
    this.#process.output.on('data', (chunk: Buffer) => this.#onBytes(chunk));
    this.#process.onEnd(() => this.#onEnd());
  }

  /** Whether it takes requests. */
  get isAlive(): boolean {
    return this.#process.isAlive;
  }

  /** Kills the process. */
  kill(cause: EndCause = 'killed'): void {
    this.#process.kill(cause);
  }

  /** Calls `action` when the process has ended. */
  onEnd(action: () => void): void {
    this.#process.onEnd(action);
  }

  /** Runs a program and passes its output to `onOutput`. Returns how it ended and the bytes of the files that it wrote. */
  async run(request: RunRequest, onOutput: Expectation['onOutput']): Promise<{ done: Done; body: Buffer }> {
    const { seconds, outputBytes, fileBytes: bodyBytes } = request;
    const expected = {
      type: 'done',
      ms: seconds * 1000 + this.#timing.graceMs,
      bodyBytes,
      outputBytes,
      onOutput,
    } as const;
    const { message, body } = await this.#request(request, new Uint8Array(), expected);
    return { done: message as Done, body };
  }

  /** Writes a file below /mnt/data. Throws SandboxError when there is no room for it. */
  async put(path: string, bytes: Uint8Array): Promise<void> {
    await this.#request({ type: 'put', path }, bytes, { ...nothing, type: 'ok', ms: this.#timing.requestMs });
  }

  /** The names of the modules that a program imports and that are not installed. */
  async missing(code: string): Promise<string[]> {
    const expected = { ...nothing, type: 'missing', ms: this.#timing.requestMs } as const;
    const { message } = await this.#request({ type: 'imports', code }, new Uint8Array(), expected);
    return (message as Extract<FromSandbox, { type: 'missing' }>).names;
  }

  /** Installs a wheel. Throws SandboxError when that fails. */
  async install(name: string, wheel: Uint8Array): Promise<void> {
    await this.#request({ type: 'install', name }, wheel, { ...nothing, type: 'ok', ms: this.#timing.installMs });
  }

  /** Sends a request and returns the answer. Throws InterpreterDiedError, and SandboxError for the answer `failed`. */
  async #request(request: ToSandbox, requestBody: Uint8Array, expected: Expectation) {
    await this.ready;
    const answer = this.#expect(expected);
    for (const bytes of frame(request, requestBody)) this.#process.input.write(bytes);
    const { message, body } = await answer;
    if (message.type === 'failed') throw new SandboxError(message.message);
    return { message, body };
  }

  #expect(expected: Expectation): Promise<{ message: FromSandbox; body: Buffer }> {
    return new Promise((resolve, reject) => {
      if (!this.isAlive) return reject(new InterpreterDiedError(this.#process.cause));
      this.#frames = 0;
      this.#process.startClock(expected.ms);
      this.#waiting = { ...expected, resolve, reject };
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

  /** The received bytes that no frame has used yet: at least `length`. */
  #peek(length: number): Buffer {
    if ((this.#chunks[0]?.length ?? 0) < length) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] as Buffer;
  }

  /** The limit of a body at this moment: no more is buffered than is expected. */
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
    this.#process.stopClock();
    waiting.resolve({ message, body });
  }

  #onEnd(): void {
    this.#waiting?.reject(new InterpreterDiedError(this.#process.cause));
    this.#waiting = null;
  }
}

/** A message of the sandbox; null: it is malformed. The sandbox may be under the control of its program. */
function read(json: Buffer): FromSandbox | null {
  try {
    return messageShape.parse(JSON.parse(json.toString()));
  } catch {
    return null;
  }
}
