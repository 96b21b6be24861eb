import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const key = 'ag_a-key-of-the-benchmarks-only';

/** A process of a benchmark that says where it listens. */
export interface Served {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

/** Starts a script that prints the address it listens on; resolves when it has. */
export async function serve(script: string, environment: Record<string, string>): Promise<Served> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [path], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk;
      const found = /(http:\/\/[\w.:]+)/.exec(output)?.[1];
      if (found) resolve(found);
    });
    child.once('exit', () => reject(new Error(`${script} ended: ${output}`)));
  });
  const stop = async () => {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await exited;
  };
  return { url, pid: child.pid as number, stop };
}

/** assistant-graph in a process of its own, on DATABASE_URL or on an embedded database in a folder that goes with it. */
export async function serveGraph(
  environment: Record<string, string> = {},
): Promise<Served & { graph: Graph; dataDir: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'assistant-graph-bench-'));
  const settings = {
    PORT: '0',
    DATA_DIR: dataDir,
    ADMIN_KEY: key,
    SECRET_KEY: 'a secret of the benchmarks only, long enough'.replaceAll(' ', '-'),
    LOG_LEVEL: 'error',
    GRAPHIQL: 'false',
    ...environment,
  };
  const { url, pid, stop } = await serve('../src/main.ts', settings);
  const stopAndClear = async () => {
    await stop();
    await rm(dataDir, { recursive: true, force: true });
  };
  return { url, pid, stop: stopAndClear, graph: graphAt(url), dataDir };
}

/** Sends an operation and returns its data. */
export type Graph = (query: string, variables?: object) => Promise<Record<string, any>>;

export const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };

function graphAt(url: string): Graph {
  return async (query, variables = {}) => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data: Record<string, any>; errors?: unknown };
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  };
}
