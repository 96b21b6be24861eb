import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bus } from './bus/bus.ts';
import { MemoryBus } from './bus/memory.ts';
import { postgresLink } from './bus/postgres.ts';
import { redisLink } from './bus/redis.ts';
import { RemoteBus } from './bus/remote.ts';
import { type Config, ConfigError, type Secrets } from './config/config.ts';
import type { Database, StatementListener } from './db/client.ts';
import { openPglite } from './db/pglite.ts';
import { openPostgres } from './db/postgres.ts';
import { openVectors } from './db/vectors.ts';
import { ensureAdminKey, hasAdminKey, isOwnSecretKey } from './domain/access/admin-key.ts';
import { KeyUsage } from './domain/access/key-usage.ts';
import { SigningKeys } from './domain/access/signing-key.ts';
import type { Services } from './domain/context.ts';
import { FileLinks } from './domain/file/file-link.ts';
import { ThreadFeeds } from './domain/follow/thread-feeds.ts';
import { releaseAllLeases } from './domain/run/lease.ts';
import { releaseAllIngestions } from './domain/search/ingest-claim.ts';
import { Worker } from './engine/worker.ts';
import { DiskFileStore } from './files/disk.ts';
import { Staging } from './files/staging.ts';
import { buildSchema } from './graphql/schema/schema.ts';
import { createLog, type Logger } from './log.ts';
import { Offload } from './offload/offload.ts';
import type { Embedder } from './providers/embedder.ts';
import { openEmbedder } from './providers/embedding-model.ts';
import { ImageModelRegistry } from './providers/image-models.ts';
import type { ModelCatalog } from './providers/model-catalog.ts';
import { ModelRegistry } from './providers/registry.ts';
import { BossQueue } from './queue/pg-boss.ts';
import { SecretFiles } from './secret/secret-files.ts';
import { Vault } from './secret/vault.ts';
import { Cors } from './server/http/cors.ts';
import { createHttpServer } from './server/http/http.ts';
import { EventStreams } from './server/live/event-stream.ts';
import { SharedResults } from './server/live/shared-results.ts';
import { serveWebSocket } from './server/live/websocket.ts';
import { Authenticator } from './server/session/authenticate.ts';
import { Oidc } from './server/session/oidc.ts';
import { Quota } from './server/session/quota.ts';
import { maskError } from './server/yoga/use-error-codes.ts';
import { createGraphServer } from './server/yoga/yoga.ts';
import { HostPolicy } from './tools/plugin/address.ts';
import { DocumentReader } from './tools/plugin/document-reader.ts';
import { Plugins } from './tools/plugin/plugin-reader.ts';
import { SafeFetch } from './tools/plugin/safe-fetch.ts';
import { Python } from './tools/python/python.ts';
import { Tools } from './tools/tools.ts';

/** Parts that tests bring themselves. */
export interface Overrides {
  /** For the embedded database in memory: a dump of a migrated one. */
  snapshot?: Blob;
  /** Keep the embedded database in memory, whatever DATA_DIR says. */
  inMemory?: boolean;
  log?: Logger;
  /** Puts something between the server and its bus. */
  wrapBus?: (bus: Bus) => Bus;
  /** Hears of each statement that goes to the database. */
  onStatement?: StatementListener;
}

/** A server that is up. */
export interface App extends AsyncDisposable {
  /** Where it listens, without a path; null for a worker without an API. */
  readonly url: string | null;
  /** The first key; null when another process or an earlier start has set it, and this one does not know it. */
  readonly adminKey: string | null;
  /** Whether this start has made the first key: then it is worth showing. */
  readonly isNew: boolean;
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
  const { embedding } = config.tools;
  const embedder = embedding && openEmbedder({ ...secrets, ...embedding });
  const { database, queue } = await openStorage(config, overrides, log, closing);
  const kept = new SecretFiles(config.dataDir, overrides.inMemory === true);
  const vault = await openVault(secrets, kept, database);
  const { wrapBus = (bus: Bus) => bus } = overrides;
  const bus = wrapBus(await openBus(config, secrets, vault, log));
  closing.add(() => bus.close());
  const signingKeys = new SigningKeys(database, vault, config.timing.credential.cacheMs);
  const feeds = new ThreadFeeds({ database, bus, pollMs: config.timing.feedPollMs });
  const filing = await openFiles(config, overrides, vault, closing);
  const python = openPython(config, overrides, log, closing);
  const images = new ImageModelRegistry({ ...secrets, defaultModel: config.tools.imageModel });
  const safe = new SafeFetch(new HostPolicy(config.tools.pluginHosts));
  closing.add(() => safe.close());
  const tools = new Tools({ python, images, safe, searchUrl: config.tools.searchUrl });
  const documents = new DocumentReader(config.timing.offload);
  closing.add(() => documents.close());
  const plugins = new Plugins(safe, documents);
  const services: Services = {
    database,
    bus,
    queue,
    models,
    feeds,
    vault,
    signingKeys,
    log,
    tools,
    plugins,
    embedder: embedder && (await vectorsWith(embedder, database, log)),
    timing: config.timing,
    ...filing,
  };
  const firstKey = await openFirstKey(secrets, kept, services);
  if (config.role !== 'api') {
    const offload = new Offload(config.timing.offload);
    closing.add(() => offload.close());
    const worker = new Worker(services, { concurrency: config.workerConcurrency, timeouts: config.model, offload });
    closing.add(() => worker.stop());
    await worker.start();
    if (config.tools.python.ready > 0) python.warmUp();
  }
  const url = config.role === 'worker' ? null : await listen(config, services, closing);
  const stop = () => closing.run(log);
  return { url, ...firstKey, models, services, stop, [Symbol.asyncDispose]: stop };
}

/** Carries hints over Redis where there is one, else over the database that instances share. */
async function openBus(
  { databaseUrl, timing }: Config,
  { redisUrl }: Secrets,
  vault: Vault,
  log: Logger,
): Promise<Bus> {
  const busLog = log.child({ part: 'bus' });
  // SECRET_KEY is the same for all processes of a server, and another one for each server.
  const name = vault.hash('bus', 'name').slice(0, 12);
  if (redisUrl) return RemoteBus.open(redisLink(redisUrl, name, timing.bus.answerMs), busLog, timing.bus);
  return databaseUrl
    ? RemoteBus.open(postgresLink(databaseUrl, timing.bus.answerMs), busLog, timing.bus)
    : new MemoryBus();
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
      { url: config.databaseUrl, connections: config.databaseConnections },
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
  await releaseAllIngestions({ database: client });
  const queue = await BossQueue.open({ pglite }, queueLog);
  closing.add(() => queue.close());
  return { database: client, queue };
}

/** What makes vectors of passages; null where the database cannot keep them. */
async function vectorsWith(embedder: Embedder, database: Database, log: Logger): Promise<Embedder | null> {
  const why = await openVectors(database);
  if (why === null) return embedder;
  log.warn(`EMBEDDING_MODEL has no effect: ${why}. Files are searched by their words alone.`);
  return null;
}

/** The interpreters of Python: nothing is started before it is asked for. */
function openPython(
  { tools, dataDir, timing }: Config,
  { inMemory }: Overrides,
  log: Logger,
  closing: Closing,
): Python {
  // What stands in it is the same for everybody, and nobody's data.
  const cacheFolder = join(inMemory ? tmpdir() : dataDir, inMemory ? 'assistant-graph-python' : 'python');
  const python = new Python({ ...tools.python, cacheFolder, timing: timing.python }, log.child({ part: 'python' }));
  closing.add(() => python.close());
  return python;
}

async function openFiles(
  { files, publicUrl }: Config,
  { inMemory }: Overrides,
  vault: Vault,
  closing: Closing,
): Promise<Pick<Services, 'files' | 'staging' | 'fileLinks' | 'fileLimits'>> {
  const folder = inMemory ? await mkdtemp(join(tmpdir(), 'assistant-graph-files-')) : files.folder;
  if (inMemory) closing.add(() => rm(folder, { recursive: true }));
  return {
    files: new DiskFileStore(folder),
    staging: await Staging.open(join(folder, 'incoming')),
    fileLinks: new FileLinks(vault, publicUrl ?? '', files.linkMs),
    fileLimits: files,
  };
}

async function listen(config: Config, services: Services, closing: Closing): Promise<string> {
  const { log, database, queue } = services;
  const uses = new KeyUsage(database, log);
  closing.add(() => uses.close());
  const authenticator = new Authenticator(
    services,
    config.oidc && new Oidc(config.oidc),
    uses,
    new Quota(config.quota),
  );
  closing.add(async () => authenticator.close());
  const origins = new Cors(config.corsOrigins);
  const { graphiql, introspection, maxBodyBytes, liveness } = config;
  const events = new SharedResults(maskError(log));
  const yoga = createGraphServer({ schema: buildSchema(), authenticator, events, log, graphiql, introspection });
  const isReady = async () => {
    await database.$queryRaw`SELECT 1`;
    await queue.ping();
  };
  const eventStreams = new EventStreams({ yoga, authenticator, events, log });
  const { files: uploads } = config;
  const parts = { yoga, services, authenticator, eventStreams, origins, isReady };
  const server = createHttpServer({ ...parts, liveness, maxBodyBytes, uploads, log });
  const maxPayloadBytes = maxBodyBytes;
  const sockets = serveWebSocket(server, { yoga, authenticator, events, origins, log, maxPayloadBytes, liveness });
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
  const url = `http://${host}:${port}`;
  services.fileLinks.reachedAt(url);
  return url;
}

/** What the secrets of the server are hashed and sealed with. Throws ConfigError when the database knows another key. */
async function openVault(secrets: Secrets, kept: SecretFiles, database: Database): Promise<Vault> {
  const vault = new Vault(secrets.secretKey ?? (await kept.read('secret-key')) ?? (await kept.make('secret-key')));
  if (await isOwnSecretKey(database, vault)) return vault;
  throw new ConfigError(
    'SECRET_KEY is not the one that this database was set up with: set it to that one (the first server keeps it in DATA_DIR/secret-key).',
  );
}

/** The first key: ADMIN_KEY, else the one that is kept, else a new one if nobody has set one yet. */
async function openFirstKey(secrets: Secrets, kept: SecretFiles, { database, vault }: Services) {
  const given = secrets.adminKey ?? (await kept.read('admin-key'));
  const isNew = given === null && !(await hasAdminKey(database));
  const secret = given ?? (isNew ? await kept.make('admin-key') : null);
  const isFirst = secret !== null && (await ensureAdminKey(database, vault, secret, secrets.adminKey !== null));
  if (isNew && !isFirst) await kept.forget('admin-key');
  return { adminKey: isFirst ? secret : null, isNew: isNew && isFirst };
}
