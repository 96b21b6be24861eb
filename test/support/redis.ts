import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@redis/client';

/** Whether Redis is installed. */
export const canStartRedis = spawnSync('redis-server', ['--version']).status === 0;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The Redis servers of a test: a single one, or a cluster of three. */
export class RedisServers implements AsyncDisposable {
  readonly ports: number[] = [];
  readonly #processes: ChildProcess[] = [];
  #folder = '';

  static async start({ count }: { count: 1 | 3 }): Promise<RedisServers> {
    const servers = new RedisServers();
    servers.#folder = await mkdtemp(join(tmpdir(), 'assistant-graph-redis-'));
    for (let index = 0; index < count; index += 1) await servers.#startOne(count > 1);
    if (count > 1) await servers.#join();
    return servers;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.ports[0]}`;
  }

  /** Sends a command to one of them. */
  command(index: number, ...words: string[]): Promise<unknown> {
    return this.#send(`redis://127.0.0.1:${this.ports[index]}`, words);
  }

  /** Sends a command to the first of them, with a password. */
  commandWith(password: string, ...words: string[]): Promise<unknown> {
    return this.#send(`redis://:${password}@127.0.0.1:${this.ports[0]}`, words);
  }

  async #send(url: string, words: string[]): Promise<unknown> {
    const client = createClient({ url });
    await client.connect();
    try {
      return await client.sendCommand(words);
    } finally {
      client.destroy();
    }
  }

  async #startOne(isOfCluster: boolean): Promise<void> {
    const port = await freePort();
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', this.#folder];
    const cluster = ['--cluster-enabled', 'yes', '--cluster-config-file', `nodes-${port}.conf`];
    // The default cluster port is `port + 10000`, which may exceed 65535.
    const bus = ['--cluster-port', String(await freePort())];
    const child = spawn('redis-server', [...settings, ...(isOfCluster ? [...cluster, ...bus] : [])], { stdio: 'pipe' });
    this.#processes.push(child);
    this.ports.push(port);
    let output = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk;
        if (/ready to accept connections/i.test(output)) resolve();
      });
      child.once('exit', () => reject(new Error(`redis-server ended: ${output}`)));
    });
  }

  async #join(): Promise<void> {
    const bounds = [0, 5461, 10_923, 16_384] as const;
    for (const [index] of this.ports.entries()) {
      const [first = 0, next = 0] = bounds.slice(index);
      await this.command(index, 'CLUSTER', 'ADDSLOTSRANGE', String(first), String(next - 1));
    }
    for (const [index, port] of this.ports.entries()) {
      const busPort = String(await this.command(index, 'CONFIG', 'GET', 'cluster-port').then(valueIn));
      await this.command(0, 'CLUSTER', 'MEET', '127.0.0.1', String(port), busPort);
    }
    const isWhole = async (_port: number, index: number) =>
      /cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(String(await this.command(index, 'CLUSTER', 'INFO')));
    while (!(await Promise.all(this.ports.map(isWhole))).every(Boolean)) await delay(50);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes) {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const valueIn = (reply: unknown) =>
  Array.isArray(reply) ? reply[1] : Object.values(reply as Record<string, unknown>)[0];
