import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bus } from './bus/bus.ts';
import { MemoryBus } from './bus/memory.ts';
import { postgresLink } from './bus/postgres.ts';
import { redisLink } from './bus/redis.ts';
import { RemoteBus } from './bus/remote.ts';
import { Closing } from './closing.ts';
import type { Config, Secrets } from './config/config.ts';
import { Availability } from './db/availability.ts';
import type { Database, StatementListener } from './db/client.ts';
import { openPglite } from './db/pglite.ts';
import { openPostgres } from './db/postgres.ts';
import { PostgresProbe } from './db/postgres-probe.ts';
import { isUnavailable } from './db/unavailable.ts';
import type { Vacuum } from './db/vacuum.ts';
import { openVectors } from './db/vectors.ts';
import { SigningKeys } from './domain/access/signing-key.ts';
import type { Services } from './domain/context.ts';
import { FileLinks } from './domain/file/file-link.ts';
import { ThreadFeeds } from './domain/follow/thread-feeds.ts';
import { releaseAllLeases } from './domain/run/lease.ts';
import { releaseAllIngestions } from './domain/search/ingest-claim.ts';
import { Worker } from './engine/worker.ts';
import { DiskFileStore } from './files/disk.ts';
import { Staging } from './files/staging.ts';
import { listen } from './listen.ts';
import { createLog, type Logger } from './log.ts';
import { Offload } from './offload/offload.ts';
import { openAdminKey, openVault } from './open-secrets.ts';
import type { Embedder } from './providers/embedder.ts';
import { openEmbedder } from './providers/embedding-model.ts';
import { ImageModelRegistry } from './providers/image-models.ts';
import type { ModelCatalog } from './providers/model-catalog.ts';
import { ModelRegistry } from './providers/registry.ts';
import { openProviders, type Providers } from './providers/vendors.ts';
import { BossQueue } from './queue/pg-boss.ts';
import { SecretFiles } from './secret/secret-files.ts';
import type { Vault } from './secret/vault.ts';
import { HostPolicy } from './tools/plugin/address.ts';
import { DocumentReader } from './tools/plugin/document-reader.ts';
import { Plugins } from './tools/plugin/plugin-reader.ts';
import { SafeFetch } from './tools/plugin/safe-fetch.ts';
import { Python } from './tools/python/python.ts';
import { Tools } from './tools/tools.ts';

/** What tests replace or observe. */
export interface Overrides {
  /** A dump of a migrated database, with which the embedded database in memory starts. */
  snapshot?: Blob;
  /** Keeps the embedded database, files and secrets out of DATA_DIR. */
  inMemory?: boolean;
  log?: Logger;
  /** Wraps the bus of the server. */
  wrapBus?: (bus: Bus) => Bus;
  /** Receives each SQL statement. */
  onStatement?: StatementListener;
}

/** A running server. */
export interface App extends AsyncDisposable {
  /** The origin at which the server listens; null for a worker without an API. */
  readonly url: string | null;
  /** The admin key; null when another process or an earlier start has set it and this process does not know it. */
  readonly adminKey: string | null;
  /** Whether this start generated the admin key. It is shown once. */
  readonly isNewAdminKey: boolean;
  readonly models: ModelCatalog;
  readonly services: Services;
  /**
   * Drains and closes all parts in order, within `Config.shutdownMs`. Returns the names of the parts that were abandoned because
   * they took too long.
   */
  stop(): Promise<string[]>;
}

/** What the parts are opened with. */
interface Start {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly overrides: Overrides;
  readonly log: Logger;
  /** Each part adds the step that closes it. */
  readonly closing: Closing;
}

/** Opens and starts all parts of a server. Throws ConfigError, UnknownModelError or DataDirInUseError with a line to show. */
export async function startApp(config: Config, secrets: Secrets, overrides: Overrides = {}): Promise<App> {
  const log = overrides.log ?? createLog(config.logLevel, isUnavailable);
  const closing = new Closing();
  try {
    return await open({ config, secrets, overrides, log, closing });
  } catch (error) {
    await closing.run(log, config.shutdownMs);
    throw error;
  }
}

async function open(start: Start): Promise<App> {
  const { config, secrets, log, closing } = start;
  const { role, timing } = config;
  const safe = new SafeFetch(new HostPolicy(config.tools.pluginHosts));
  closing.add('plugin connections', () => safe.close());
  const providers = openProviders(secrets.providers, (url, signal) => safe.fetch(url, { signal: signal ?? null }));
  const models = await openModels(config, providers);
  const embedder = config.tools.embedding && openEmbedder(providers, config.tools.embedding);
  const { database, availability, queue, vacuum } = await openStorage(start);
  const secretFiles = new SecretFiles(config.dataDir, start.overrides.inMemory === true);
  const vault = await openVault(secrets, secretFiles, database);
  const bus = await openBus(start, vault);
  const python = openPython(start);
  const services: Services = {
    ...{ database, availability, queue, vault, bus, models, log, timing },
    signingKeys: new SigningKeys(database, vault, timing.credential.cacheMs),
    feeds: new ThreadFeeds({ database, bus, pollMs: timing.feedPollMs }),
    embedder: embedder && (await withVectors(embedder, database, log)),
    ...(await openFiles(start, vault)),
    ...openTools(start, { providers, python, safe }),
  };
  const adminKey = await openAdminKey(secrets, secretFiles, services);
  if (role !== 'api') await startWorker(start, services, python, vacuum);
  const url = role === 'worker' ? null : await listen(start, services, databaseFolder(start));
  const stop = () => closing.run(log, config.shutdownMs);
  return { url, ...adminKey, models, services, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

const openModels = ({ defaultModel, demoDelayMs, modelCatalog }: Config, providers: Providers) =>
  ModelRegistry.open({ providers, defaultModel, demoDelayMs, catalogFile: modelCatalog });

/** The database and what depends on its kind. */
interface Storage {
  database: Database;
  availability: Availability;
  queue: BossQueue;
  /** null: PostgreSQL vacuums on its own. */
  vacuum: Vacuum | null;
}

/** Opens PostgreSQL where DATABASE_URL names one, else the embedded database. */
async function openStorage(start: Start): Promise<Storage> {
  const { config, secrets, overrides, log, closing } = start;
  const queueLog = log.child({ part: 'queue' });
  const { database: timing } = config.timing;
  const availability = new Availability(log, timing);
  if (secrets.databaseUrl) {
    const { client, connections, close } = await openPostgres(
      { url: secrets.databaseUrl, connections: config.databaseConnections },
      (error) => log.warn({ err: error }, 'database connection lost'),
      overrides.onStatement,
    );
    closing.add('database', close);
    const { Client } = connections;
    const queue = await BossQueue.open(
      { url: secrets.databaseUrl, statementMs: timing.queueStatementMs, Client },
      queueLog,
    );
    closing.add('queue', () => queue.close());
    availability.onLongOutage(() => connections.dropAll());
    availability.onEnd(() => connections.dropPending());
    const probe = new PostgresProbe(secrets.databaseUrl, timing, availability);
    closing.add('database probe', () => probe.close());
    return { database: client, availability, queue, vacuum: null };
  }
  const { snapshot, onStatement } = overrides;
  const location = overrides.inMemory ? { snapshot } : { dataDir: config.dataDir };
  const { client, pglite, vacuum, close } = await openPglite({ ...location, onStatement });
  closing.add('database', close);
  await releaseAllLeases(client);
  await releaseAllIngestions({ database: client });
  const queue = await BossQueue.open({ pglite }, queueLog);
  closing.add('queue', () => queue.close());
  return { database: client, availability, queue, vacuum };
}

/** Opens the bus on Redis where REDIS_URL names one, else on the shared PostgreSQL, else in the process. */
async function openBus({ config, secrets, overrides, log, closing }: Start, vault: Vault): Promise<Bus> {
  const { wrapBus = (bus: Bus) => bus } = overrides;
  const bus = wrapBus(await openLink(config, secrets, vault, log.child({ part: 'bus' })));
  closing.add('bus', () => bus.close());
  return bus;
}

async function openLink({ timing }: Config, secrets: Secrets, vault: Vault, log: Logger): Promise<Bus> {
  const { redisUrl, databaseUrl } = secrets;
  const { answerMs } = timing.bus;
  // All processes of a server share SECRET_KEY, and no other server has it.
  const name = vault.hash('bus', 'name').slice(0, 12);
  if (redisUrl) return RemoteBus.open(redisLink(redisUrl, name, answerMs), log, timing.bus);
  if (databaseUrl) return RemoteBus.open(postgresLink(databaseUrl, answerMs), log, timing.bus);
  return new MemoryBus();
}

/** The embedder; null where the database cannot store vectors. */
async function withVectors(embedder: Embedder, database: Database, log: Logger): Promise<Embedder | null> {
  const reason = await openVectors(database);
  if (reason === null) return embedder;
  log.warn({ reason }, 'EMBEDDING_MODEL has no effect, files are searched by words only');
  return null;
}

async function openFiles(
  { config, overrides, closing }: Start,
  vault: Vault,
): Promise<Pick<Services, 'files' | 'staging' | 'fileLinks' | 'fileLimits'>> {
  const { files, publicUrl } = config;
  const folder = overrides.inMemory ? await mkdtemp(join(tmpdir(), 'assistant-graph-files-')) : files.folder;
  if (overrides.inMemory) closing.add('files', () => rm(folder, { recursive: true }));
  return {
    files: new DiskFileStore(folder),
    staging: await Staging.open(join(folder, 'incoming')),
    fileLinks: new FileLinks(vault, publicUrl ?? '', files.linkMs),
    fileLimits: files,
  };
}

/** The Python interpreters. None starts before its first use. */
function openPython({ config, overrides, log, closing }: Start): Python {
  const { tools, dataDir, timing } = config;
  // The cache holds packages and no data of users, so that servers under test share it.
  const cacheFolder = overrides.inMemory ? join(tmpdir(), 'assistant-graph-python') : join(dataDir, 'python');
  const python = new Python({ ...tools.python, cacheFolder, timing: timing.python }, log.child({ part: 'python' }));
  closing.add('python', () => python.close());
  return python;
}

function openTools(
  { config, closing }: Start,
  { providers, python, safe }: { providers: Providers; python: Python; safe: SafeFetch },
): Pick<Services, 'tools' | 'plugins'> {
  const { imageModel, searchUrl } = config.tools;
  const images = new ImageModelRegistry(providers, imageModel);
  const documents = new DocumentReader(config.timing.offload);
  closing.add('document reader', () => documents.close());
  return { tools: new Tools({ python, images, safe, searchUrl }), plugins: new Plugins(safe, documents) };
}

async function startWorker(
  { config, closing }: Start,
  services: Services,
  python: Python,
  vacuum: Vacuum | null,
): Promise<void> {
  const offload = new Offload(config.timing.offload);
  closing.add('offload', () => offload.close());
  const { workerConcurrency: concurrency, model: timeouts, answer } = config;
  const worker = new Worker(services, { concurrency, timeouts, answer, offload, vacuum });
  closing.add('worker', () => worker.stop(), { isDrain: true });
  await worker.start();
  if (config.tools.python.ready > 0) python.warmUp();
}

/** The folder of the embedded database; null: the database is in memory or on a server. */
const databaseFolder = ({ config, secrets, overrides }: Start) =>
  secrets.databaseUrl || overrides.inMemory ? null : config.dataDir;
