import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { PassThrough, Readable, type Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { lowerPriority } from './low-priority.ts';
import { reaper } from './reaper.ts';

const watchEveryMs = 200;
const bytesPerPage = 4096;

/** Why a guarded process ended. `crashed`: it ended although this process did not kill it. */
export type EndCause = 'killed' | 'late' | 'memory' | 'misbehaved' | 'crashed';

/** What a guarded process runs, and its limits. */
export interface GuardOptions {
  /** The absolute path of the program. */
  program: string;
  args: readonly string[];
  /** The files and folders that it may read. Folders end with a slash. */
  readable: readonly string[];
  /** Flags of Node beyond those that every guarded process gets. */
  flags?: readonly string[];
  /** The limit of the JavaScript heap, in MiB. */
  heapMb: number;
  /** The limit of the resident memory, in bytes. It is watched on Linux only. */
  maxRssBytes: number;
  /** Other processes get the CPU first, and the kernel ends this one first when memory runs out. */
  isLowPriority?: boolean;
}

/**
 * A child process for work on untrusted input, under Node's permission model: it reads the given files and folders and
 * has no network, no child processes, no threads, no add-ons and no environment. It reads requests from descriptor 0
 * and writes answers to descriptor 3.
 *
 * It does not outlive this process, even when this one is killed: see `reaper`.
 */
export class GuardedProcess {
  readonly input: Writable;
  readonly output: Readable;
  readonly #child: ChildProcess;
  readonly #watch: NodeJS.Timeout;
  readonly #unwatch: () => void;
  readonly #ended = Promise.withResolvers<void>();
  readonly #exited = new AbortController();
  #clock: { timer: NodeJS.Timeout; endsAt: number } | null = null;
  #cause: EndCause = 'crashed';
  #state: 'running' | 'killed' | 'ended' = 'running';
  #startError: Error | null = null;

  constructor(options: GuardOptions) {
    this.#child = spawn(process.execPath, argumentsFor(options), {
      env: {},
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
      // A signal for the terminal's process group, such as Ctrl+C, does not reach it: the server ends it after draining.
      detached: true,
    });
    // 'close' comes after the last output has been read.
    this.#child.once('close', () => this.#end());
    this.#child.once('error', (error) => {
      this.#startError = error;
      this.#end();
    });
    // There are no pipes when this process has no descriptors left; the 'error' event reports that.
    this.input = this.#child.stdin ?? new PassThrough();
    this.output = (this.#child.stdio?.[3] as Readable | null | undefined) ?? Readable.from([]);
    this.input.on('error', () => {});
    this.output.on('error', () => {});
    this.#unwatch = this.#child.pid === undefined ? () => {} : reaper.watch(this.#child.pid);
    // The ID may belong to another process as soon as this one has exited.
    this.#child.once('exit', this.#unwatch);
    if (options.isLowPriority && this.#child.pid !== undefined) lowerPriority(this.#child.pid, this.#exited.signal);
    this.#child.once('exit', () => this.#exited.abort());
    this.#watch = setInterval(() => void this.#checkMemory(options.maxRssBytes), watchEveryMs).unref();
  }

  /** Whether it runs and has not been killed. */
  get isAlive(): boolean {
    return this.#state === 'running';
  }

  /** Why it ended. Meaningful after its end, or after `kill`. */
  get cause(): EndCause {
    return this.#cause;
  }

  /** The error of a process that could not be started; null: it started. */
  get startError(): Error | null {
    return this.#startError;
  }

  /** Kills it with SIGKILL. The first cause is kept. */
  kill(cause: EndCause = 'killed'): void {
    if (this.#state !== 'running') return;
    this.#state = 'killed';
    this.#cause = cause;
    this.#child.kill('SIGKILL');
  }

  /** Kills it as `late` after `ms`, unless `stopClock` is called before. */
  startClock(ms: number): void {
    this.stopClock();
    this.#clock = { timer: setTimeout(() => this.kill('late'), ms).unref(), endsAt: Date.now() + ms };
  }

  /** Stops the clock. Returns the time that was left, in milliseconds. */
  stopClock(): number {
    const { timer, endsAt = Date.now() } = this.#clock ?? {};
    clearTimeout(timer);
    this.#clock = null;
    return Math.max(endsAt - Date.now(), 0);
  }

  /** Calls `action` when the process has ended and all its output has been read. */
  onEnd(action: () => void): void {
    if (this.#state === 'ended') action();
    else void this.#ended.promise.then(action);
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    clearInterval(this.#watch);
    this.stopClock();
    this.#ended.resolve();
  }

  /** The heap limits do not cover buffers, WebAssembly and native memory: the resident memory does. */
  async #checkMemory(maxRssBytes: number): Promise<void> {
    const statm = await readFile(`/proc/${this.#child.pid}/statm`, 'utf8').catch(() => '');
    const [, pages = 0] = statm.split(' ');
    if (Number(pages) * bytesPerPage > maxRssBytes) this.kill('memory');
  }
}

const closeNetwork = fileURLToPath(new URL('close-network.ts', import.meta.url));
/** Node.js 24 has no permission for the network, and so does not close it. */
const networkFlags = process.allowedNodeEnvironmentFlags.has('--allow-net')
  ? []
  : [`--allow-fs-read=${closeNetwork}`, '--expose-internals', '--import', closeNetwork];

function argumentsFor({ program, args, readable, flags = [], heapMb }: GuardOptions): string[] {
  return [
    '--permission',
    ...readable.map((path) => `--allow-fs-read=${path}`),
    '--no-addons',
    // SQLite opens files that the permissions do not allow.
    '--no-experimental-sqlite',
    '--disallow-code-generation-from-strings',
    '--no-warnings',
    `--max-old-space-size=${heapMb}`,
    ...networkFlags,
    ...flags,
    program,
    ...args,
  ];
}
