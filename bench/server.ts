import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

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

/** A database of its own on the server that an address names, and what drops it: what one server leaves is not another's. */
async function freshDatabase(address: string) {
  const name = `assistant_graph_bench_${randomBytes(4).toString('hex')}`;
  const admin = new pg.Client({ connectionString: address });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  const drop = async () => {
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  };
  return { url: Object.assign(new URL(address), { pathname: name }).href, drop };
}

/**
 * assistant-graph in a process of its own: on a new database of the server that DATABASE_URL names, or on an embedded one; both
 * go with it. `environment.DATABASE_URL`: a database that is there, of another such server.
 */
export async function serveGraph(
  environment: Record<string, string> = {},
): Promise<Served & { graph: Graph; dataDir: string; databaseUrl: string }> {
  const address = environment.DATABASE_URL ? undefined : process.env.DATABASE_URL;
  const fresh = address ? await freshDatabase(address) : null;
  const databaseUrl = environment.DATABASE_URL ?? fresh?.url ?? '';
  const dataDir = await mkdtemp(join(tmpdir(), 'assistant-graph-bench-'));
  const settings = {
    PORT: '0',
    DATA_DIR: dataDir,
    ADMIN_KEY: key,
    SECRET_KEY: 'a secret of the benchmarks only, long enough'.replaceAll(' ', '-'),
    LOG_LEVEL: 'error',
    GRAPHIQL: 'false',
    // All clients of a benchmark have one address.
    MAX_CONNECTIONS: '100000',
    MAX_CONNECTIONS_PER_ADDRESS: '0',
    DATABASE_URL: databaseUrl,
    ...environment,
  };
  const { url, pid, stop } = await serve('../src/main.ts', settings);
  const stopAndClear = async () => {
    await stop();
    await rm(dataDir, { recursive: true, force: true });
    await fresh?.drop();
  };
  return { url, pid, stop: stopAndClear, graph: graphAt(url), dataDir, databaseUrl };
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
