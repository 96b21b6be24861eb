import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { Client } from './client.ts';
import { storageEnvironment } from './databases.ts';
import { wasmFlags } from './wasm-flags.ts';

const fastEntry = fileURLToPath(new URL('./server.ts', import.meta.url));
/** The entry of the real server: with production timing. */
export const mainEntry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const secret = 'ag_a-key-of-these-tests-only';

/** A server in its own process, which can be killed and restarted on the same data. */
export class ServerProcess {
  readonly dataDir: string;
  readonly #environment: Record<string, string>;
  readonly #entry: string;
  #child: ChildProcess | null = null;
  #url = '';
  /** Its output on stdout and stderr since the last start. */
  output = '';

  private constructor(dataDir: string, environment: Record<string, string>, entry = fastEntry) {
    this.dataDir = dataDir;
    this.#environment = environment;
    this.#entry = entry;
  }

  /**
   * Prepares a server on a copy of the migrated database, with the timing of tests; `start` starts it. `isNew`: an
   * empty data folder and the real entry, as at a first start.
   */
  static async prepare(environment: Record<string, string>, { isNew = false } = {}): Promise<ServerProcess> {
    const storage = await storageEnvironment();
    const dataDir = await mkdtemp(join(tmpdir(), 'assistant-graph-process-'));
    const template = inject('templateFolder');
    if (template && !isNew) await cp(join(template, 'postgres'), join(dataDir, 'postgres'), { recursive: true });
    return new ServerProcess(dataDir, { ...storage, ...environment }, isNew ? mainEntry : fastEntry);
  }

  get client(): Client {
    return this.clientWith(this.#environment.ADMIN_KEY ?? secret);
  }

  clientWith(key: string): Client {
    return new Client(this.#url, key);
  }

  /** A second handle on the same data, with more settings. */
  with(environment: Record<string, string>): ServerProcess {
    return new ServerProcess(this.dataDir, { ...this.#environment, ...environment });
  }

  /** The id of its process; it has been started. */
  get pid(): number {
    return this.#child?.pid as number;
  }

  get url(): string {
    return this.#url;
  }

  /** Starts the process; resolves when it is ready. */
  async start(): Promise<void> {
    const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env;
    const env = {
      PATH,
      NODE_COMPILE_CACHE,
      PORT: '0',
      DATA_DIR: this.dataDir,
      ADMIN_KEY: secret,
      LOG_LEVEL: 'warn',
      DEMO_DELAY_MS: '5',
      PYTHON_READY: '0',
      ...this.#environment,
    };
    const child = spawn(process.execPath, [...wasmFlags, this.#entry], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.output = '';
    await new Promise<void>((resolve, reject) => {
      const onOutput = (chunk: Buffer) => {
        this.output += chunk;
        const url = /(http:\/\/\S+?)\/graphql/.exec(this.output)?.[1];
        if (url) this.#url = url;
        if (url || this.output.includes('worker is up.')) resolve();
      };
      child.stdout.on('data', onOutput);
      child.stderr.on('data', onOutput);
      child.once('exit', () => reject(new Error(`the server ended at its start: ${this.output}`)));
    });
  }

  /** The largest resident set that the process has had, in bytes. Only on Linux. */
  async peakRss(): Promise<number> {
    const status = await readFile(`/proc/${this.#child?.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  /** Sends a signal; resolves with the exit code when the process has exited. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code] = await exited;
    return code as number | null;
  }

  /** The admin key from the data folder. */
  async keptKey(): Promise<string> {
    return (await readFile(join(this.dataDir, 'admin-key'), 'utf8')).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
