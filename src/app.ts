import { mkdir, readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Bus } from './bus/bus.ts';
import { MemoryBus } from './bus/memory.ts';
import type { Config, Secrets } from './config.ts';
import type { Database, StatementListener } from './db/client.ts';
import { openPglite } from './db/pglite.ts';
import { openPostgres } from './db/postgres.ts';
import { ensureFirstKey, newSecret } from './domain/api-key.ts';
import type { Services } from './domain/context.ts';
import { releaseAllLeases } from './domain/lease.ts';
import { ThreadFeeds } from './domain/thread-feed.ts';
import { Worker } from './engine/worker.ts';
import { buildSchema } from './graphql/schema.ts';
import { createLog, type Logger } from './log.ts';
import type { ModelCatalog } from './providers/model-catalog.ts';
import { ModelRegistry } from './providers/registry.ts';
import { BossQueue } from './queue/pg-boss.ts';
import { Authenticator } from './server/authenticate.ts';
import { createHttpServer } from './server/http.ts';
import { serveWebSocket } from './server/websocket.ts';
import { createGraphServer } from './server/yoga.ts';

/** Parts that tests bring themselves. */
export interface Overrides {
  /** For the embedded database in memory: a dump of a migrated one. */
  snapshot?: Blob;
  /** Keep the embedded database in memory, whatever DATA_DIR says. */
  inMemory?: boolean;
  log?: Logger;
  /** Hears of each statement that goes to the database. */
  onStatement?: StatementListener;
}

/** A server that is up. */
export interface App extends AsyncDisposable {
  /** Where it listens, without a path; null for a worker without an API. */
  readonly url: string | null;
  readonly adminKey: string;
  readonly models: ModelCatalog;
  readonly services: Services;
  /** Drains and closes everything, in order; resolves when nothing is left. */
  stop(): Promise<void>;
}

/** Things to close, in the reverse order of their opening. */
class Closing {
  readonly #steps: Array<() => Promise<void>> = [];

  add(step: () => Promise<void>): void {
    this.#steps.unshift(step);
  }

  async run(log: Logger): Promise<void> {
    for (const step of this.#steps.splice(0)) await step().catch((error) => log.error({ err: error }, 'stop'));
  }
}

/** Wires a server from its configuration and starts it. Throws ConfigError and DataDirInUseError with a line to show. */
export async function startApp(config: Config, secrets: Secrets, overrides: Overrides = {}): Promise<App> {
  const log = overrides.log ?? createLog(config.logLevel);
  const closing = new Closing();
  try {
    return await open(config, secrets, overrides, log, closing);
  } catch (error) {
    await closing.run(log);
    throw error;
  }
}

async function open(
  config: Config,
  secrets: Secrets,
  overrides: Overrides,
  log: Logger,
  closing: Closing,
): Promise<App> {
  const models = await ModelRegistry.open({
    alibaba: secrets.alibaba,
    openai: secrets.openai,
    defaultModel: config.defaultModel,
    demoDelayMs: config.demoDelayMs,
    catalogFile: config.modelCatalog,
  });
  const { database, queue } = await openStorage(config, overrides, log, closing);
  const bus: Bus = new MemoryBus();
  closing.add(() => bus.close());
  const services: Services = { database, bus, queue, models, feeds: new ThreadFeeds(database, bus), log };
  const adminKey = secrets.adminKey ?? (await keptAdminKey(config.dataDir, overrides.inMemory === true));
  await ensureFirstKey(database, adminKey);
  if (config.role !== 'api') {
    const worker = new Worker(services, { concurrency: config.workerConcurrency, patience: config.model });
    closing.add(() => worker.stop());
    await worker.start();
  }
  const url = config.role === 'worker' ? null : await listen(config, services, closing);
  const stop = () => closing.run(log);
  return { url, adminKey, models, services, stop, [Symbol.asyncDispose]: stop };
}

async function openStorage(
  config: Config,
  overrides: Overrides,
  log: Logger,
  closing: Closing,
): Promise<{ database: Database; queue: BossQueue }> {
  const queueLog = log.child({ part: 'queue' });
  if (config.databaseUrl) {
    const { client, close } = await openPostgres(
      config.databaseUrl,
      (error) => log.warn({ err: error }, 'connection lost'),
      overrides.onStatement,
    );
    closing.add(close);
    const queue = await BossQueue.open({ url: config.databaseUrl }, queueLog);
    closing.add(() => queue.close());
    return { database: client, queue };
  }
  const { snapshot, onStatement } = overrides;
  const where = overrides.inMemory ? { snapshot } : { dataDir: config.dataDir };
  const { client, pglite, close } = await openPglite({ ...where, onStatement });
  closing.add(close);
  await releaseAllLeases(client);
  const queue = await BossQueue.open({ pglite }, queueLog);
  closing.add(() => queue.close());
  return { database: client, queue };
}

async function listen(config: Config, services: Services, closing: Closing): Promise<string> {
  const { log, database, queue } = services;
  const authenticator = new Authenticator(services);
  const yoga = createGraphServer({ schema: buildSchema(), authenticator, log, graphiql: config.graphiql });
  const isReady = async () => {
    await database.$queryRaw`SELECT 1`;
    await queue.ping();
  };
  const server = createHttpServer({ yoga, isReady, maxBodyBytes: config.maxBodyBytes, log });
  const sockets = serveWebSocket(server, { yoga, authenticator, log, maxPayloadBytes: config.maxBodyBytes });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, resolve);
  });
  closing.add(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    await sockets.close();
    await yoga.dispose();
    server.closeAllConnections();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return `http://${host}:${port}`;
}

/** The first key: made at the first start, and kept in a file that only its owner can read. */
async function keptAdminKey(dataDir: string, inMemory: boolean): Promise<string> {
  if (inMemory) return newSecret();
  const path = join(dataDir, 'admin-key');
  const kept = await readFile(path, 'utf8').catch(() => '');
  if (kept.trim()) return kept.trim();
  const secret = newSecret();
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(path, `${secret}\n`, { mode: 0o600 });
  return secret;
}
