import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { Client } from './client.ts';
import { storageEnvironment } from './databases.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const secret = 'ag_a-key-of-these-tests-only';

/** A server in a process of its own, which can be killed and started again on the same data. */
export class ServerProcess {
  readonly dataDir: string;
  readonly #environment: Record<string, string>;
  #child: ChildProcess | null = null;
  #url = '';
  /** What it said on stdout and stderr, since it was last started. */
  output = '';

  private constructor(dataDir: string, environment: Record<string, string>) {
    this.dataDir = dataDir;
    this.#environment = environment;
  }

  /**
   * Prepares a server, on a migrated embedded database or on a copy of the PostgreSQL template; `start` starts it. `isNew`: its
   * data folder is empty, as with whoever starts it for the first time.
   */
  static async prepare(environment: Record<string, string>, { isNew = false } = {}): Promise<ServerProcess> {
    const storage = await storageEnvironment();
    const dataDir = await mkdtemp(join(tmpdir(), 'assistant-graph-process-'));
    const template = inject('templateFolder');
    if (template && !isNew) await cp(join(template, 'postgres'), join(dataDir, 'postgres'), { recursive: true });
    return new ServerProcess(dataDir, { ...storage, ...environment });
  }

  get client(): Client {
    return this.clientWith(this.#environment.ADMIN_KEY ?? secret);
  }

  clientWith(key: string): Client {
    return new Client(this.#url, key);
  }

  /** The same server, on the same data, with more in its environment. */
  with(environment: Record<string, string>): ServerProcess {
    return new ServerProcess(this.dataDir, { ...this.#environment, ...environment });
  }

  get url(): string {
    return this.#url;
  }

  /** Starts the process; resolves when it is ready. */
  async start(): Promise<void> {
    const { PATH = '' } = process.env;
    const env = {
      PATH,
      PORT: '0',
      DATA_DIR: this.dataDir,
      ADMIN_KEY: secret,
      LOG_LEVEL: 'warn',
      DEMO_DELAY_MS: '5',
      PYTHON_READY: '0',
      ...this.#environment,
    };
    const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.output = '';
    await new Promise<void>((resolve, reject) => {
      const hear = (chunk: Buffer) => {
        this.output += chunk;
        const url = /(http:\/\/\S+?)\/graphql/.exec(this.output)?.[1];
        if (url) this.#url = url;
        if (url || this.output.includes('worker is up.')) resolve();
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.once('exit', () => reject(new Error(`the server ended at its start: ${this.output}`)));
    });
  }

  /** Kills the process without a word, or asks it to stop; resolves with its exit code when it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code] = await exited;
    return code as number | null;
  }

  /** The admin key that the server keeps. */
  async keptKey(): Promise<string> {
    return (await readFile(join(this.dataDir, 'admin-key'), 'utf8')).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
