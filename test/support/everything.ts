import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';

/** The reference server of the MCP project, which has every kind of tool. */
export interface Everything extends AsyncDisposable {
  /** The URL of its MCP endpoint. */
  url: string;
  /** Kills the process; resolves when it has exited. */
  kill(): Promise<void>;
}

/** Starts it on a free port with an otherwise empty environment. */
export async function startEverything(): Promise<Everything> {
  const entry = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');
  const port = await freePort();
  const child = spawn(process.execPath, [entry, 'streamableHttp'], {
    env: { PORT: String(port) },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the MCP server did not start')));
    child.stderr.on('data', (text) => /listening/.test(String(text)) && resolve());
  });
  const kill = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return { url: `http://127.0.0.1:${port}/mcp`, kill, [Symbol.asyncDispose]: kill };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
