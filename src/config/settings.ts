import { totalmem } from 'node:os';
import { join } from 'node:path';
import { vendors } from '../providers/vendors.ts';
import * as kind from './kind.ts';
import { proxies } from './proxies.ts';
import { type Computed, computed, optional, required, setting, unset } from './setting.ts';

const { bytes, seconds, whole } = kind;

const production = setting('NODE_ENV', kind.environment, '', 'With `production`, three defaults change.');
const openUnlessProduction = (open: string, closed: string, words: string): Computed =>
  computed(`${words} in production`, (environment) => (production.read(environment) ? closed : open));
const trueUnlessProduction = openUnlessProduction('true', 'false', '`true`; `false`');

/** The memory that this process may use, in bytes: of the container, or of the machine. */
const memoryBytes = () => Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
/** A run that waits for its model takes 0.26 MB with a short prompt: its slot reserves 4 MB, for prompts and answers. */
const concurrencyFor = (memory: number) => Math.min(500, Math.max(20, Math.floor(memory / 4e6)));

const dataDir = setting('DATA_DIR', kind.folder, '.data', 'Folder of database, generated keys and files.');

const server = {
  host: setting('HOST', kind.host, '127.0.0.1', 'Address to listen on.'),
  port: setting('PORT', whole(0, 65_535), 4000, 'TCP port; 0 selects a free one.'),
  publicUrl: setting('PUBLIC_URL', kind.originUrl, unset('`HOST`:`PORT`'), 'URL of the server in links to files.'),
  trustProxy: setting('TRUST_PROXY', proxies, unset('none'), 'Proxies in front, see [proxies.md](proxies.md).'),
  role: setting('ROLE', kind.oneOf('all', 'api', 'worker'), 'all', 'Serve clients, execute runs, or both.'),
  workerConcurrency: setting(
    'WORKER_CONCURRENCY',
    whole(1, 10_000),
    computed('500; 1 for 4 MB of memory below 2 GB', () => String(concurrencyFor(memoryBytes()))),
    'Runs that a process executes at a time.',
  ),
  shutdownMs: setting('SHUTDOWN_SECONDS', seconds(1, 3600), 30, 'Maximum time of a shutdown, after SIGTERM.'),
  logLevel: setting('LOG_LEVEL', kind.logLevel, 'info', 'Lowest level of the log, JSON on stderr.'),
  production,
  graphiql: setting('GRAPHIQL', kind.flag, trueUnlessProduction, 'Serve GraphiQL to browsers at `/graphql`.'),
  introspection: setting('INTROSPECTION', kind.flag, trueUnlessProduction, 'Let clients query the schema.'),
  corsOrigins: setting(
    'CORS_ORIGINS',
    kind.origins,
    openUnlessProduction('*', '', '`*`; none'),
    'Origins whose pages may call the server.',
  ),
};

const storage = {
  dataDir,
  minFreeBytes: setting(
    'MIN_FREE_BYTES',
    bytes(0, 1e15),
    100e6,
    'Free disk space below which the server refuses to write.',
  ),
  databaseConnections: setting('DATABASE_CONNECTIONS', whole(2, 1000), 20, 'Most PostgreSQL connections of a process.'),
};
const connections = {
  databaseUrl: setting(
    'DATABASE_URL',
    kind.url('postgres', 'postgresql'),
    unset('embedded'),
    'PostgreSQL 15 or newer instead of the embedded one.',
  ),
  redisUrl: setting(
    'REDIS_URL',
    kind.url('redis', 'rediss'),
    unset('PostgreSQL'),
    'Redis server or cluster node for live messages.',
  ),
};

const keys = {
  adminKey: setting('ADMIN_KEY', kind.adminKey(16, 200), unset('generated'), 'Secret of the admin key.'),
  secretKey: setting('SECRET_KEY', kind.printable(32, 500), unset('generated'), 'Secret that protects stored keys.'),
};

const identity = {
  oidc: optional({
    issuer: setting('OIDC_ISSUER', kind.url('http', 'https'), required, 'Issuer of the accepted tokens.'),
    audience: setting('OIDC_AUDIENCE', kind.text(500), required, 'Audience of the accepted tokens.'),
    jwksUri: setting('OIDC_JWKS_URI', kind.url('http', 'https'), unset('discovered'), 'Location of the public keys.'),
    userClaim: setting('OIDC_USER_CLAIM', kind.claimName, 'sub', 'Claim with the id of the user.'),
    workspaceClaim: setting('OIDC_WORKSPACE_CLAIM', kind.claimName, null, 'Claim with the workspace.'),
    scopesClaim: setting('OIDC_SCOPES_CLAIM', kind.claimName, 'scope', 'Claim with the scopes.'),
  }),
};

const models = {
  defaultModel: setting('DEFAULT_MODEL', kind.modelName, unset('see below'), 'Model where nothing else names one.'),
  modelCatalog: setting('MODEL_CATALOG', kind.jsonFile, null, 'File that overrides the table of models.'),
  model: {
    timeoutMs: setting('MODEL_TIMEOUT_SECONDS', seconds(1, 3600), 60, 'Maximum wait for the start of an answer.'),
    stallMs: setting('MODEL_STALL_SECONDS', seconds(1, 3600), 60, 'Maximum pause within an answer.'),
    retries: setting('MODEL_RETRIES', whole(0, 10), 3, 'Retries of a call that fails before its first token.'),
  },
  answer: {
    textBytes: setting(
      'MAX_ANSWER_BYTES',
      bytes(100, 16e6),
      1e6,
      'Maximum size of the text of an answer, and of its reasoning.',
    ),
    argumentBytes: setting(
      'MAX_ARGUMENT_BYTES',
      bytes(100, 16e6),
      256e3,
      'Total size of the arguments of the calls of an answer.',
    ),
    toolCalls: setting('MAX_TOOL_CALLS', whole(1, 1000), 128, 'Calls of an answer; further ones are not made.'),
  },
  demoDelayMs: setting('DEMO_DELAY_MS', whole(0, 10_000, 'milliseconds'), 40, 'Pause of the demo before each word.'),
};
const providers = Object.fromEntries(vendors.map(({ name, settings }) => [name, settings]));

const limits = {
  maxBodyBytes: setting('MAX_BODY_BYTES', bytes(1024, 1e9), 8e6, 'Maximum size of a request or socket message.'),
  requestMemoryBytes: setting('MAX_REQUEST_MEMORY_BYTES', bytes(65_536, 1e12), 256e6, 'All large requests in memory.'),
  connections: {
    all: setting('MAX_CONNECTIONS', whole(1, 1e6), 10_000, 'Open connections of clients.'),
    perAddress: setting(
      'MAX_CONNECTIONS_PER_ADDRESS',
      whole(0, 1e6),
      1000,
      'Open connections from one address; 0: no limit.',
    ),
  },
  response: {
    cost: setting('MAX_QUERY_COST', whole(1000, 10_000_000), 100_000, 'Maximum cost of an operation.'),
    bytes: setting('MAX_RESPONSE_BYTES', bytes(1e5, 2.5e8), 16e6, 'Maximum size of a response as JSON.'),
    memoryBytes: setting(
      'MAX_RESPONSE_MEMORY_BYTES',
      bytes(1e6, 1e11),
      256e6,
      'Total size of the responses that are made or sent.',
    ),
  },
  quota: {
    socket: {
      key: setting('MAX_SOCKETS_PER_KEY', whole(1, 1e6), 10_000, 'Open sockets and event streams of a key.'),
      user: setting('MAX_SOCKETS_PER_USER', whole(1, 1e6), 100, 'Open sockets and event streams of an end user.'),
    },
    stream: {
      key: setting('MAX_STREAMS_PER_KEY', whole(1, 1e6), 20_000, 'Open subscriptions and waits of a key.'),
      user: setting('MAX_STREAMS_PER_USER', whole(1, 1e6), 500, 'Open subscriptions and waits of an end user.'),
    },
  },
  liveness: {
    silentMs: setting('SOCKET_SILENT_SECONDS', seconds(10, 3600), 120, 'Maximum silence of a client.'),
    idleMs: setting('SOCKET_IDLE_SECONDS', seconds(10, 86_400), 600, 'Maximum time of a socket without operations.'),
  },
};

const files = {
  files: {
    folder: setting(
      'FILES_DIR',
      kind.folder,
      computed('`DATA_DIR`/files', (environment) => join(dataDir.read(environment), 'files')),
      'Folder of the uploaded and generated files.',
    ),
    uploadBytes: setting('MAX_UPLOAD_BYTES', bytes(1, 2e9), 100e6, 'Maximum size of a file.'),
    uploads: setting('MAX_UPLOADS', whole(1, 100), 10, 'Maximum number of files in a request.'),
    workspaceBytes: setting(
      'MAX_WORKSPACE_FILE_BYTES',
      bytes(1, 1e15),
      10e9,
      'Total size of the files of a workspace.',
    ),
    userBytes: setting('MAX_USER_FILE_BYTES', bytes(1, 1e15), 1e9, 'Total size of the files of an end user.'),
    linkMs: setting('FILE_URL_SECONDS', seconds(10, 86_400), 900, 'Minimum validity of a link to a file.'),
  },
};

const tools = {
  tools: {
    python: {
      memoryMb: setting('PYTHON_MEMORY_MB', whole(128, 4096, 'megabytes'), 512, 'Memory of a Python interpreter.'),
      sandboxes: setting('PYTHON_SANDBOXES', whole(1, 1000), 8, 'Maximum number of interpreters of a worker.'),
      ready: setting('PYTHON_READY', whole(0, 100), 1, 'Interpreters kept ready, some 200 MB each.'),
      idleMs: setting('PYTHON_IDLE_SECONDS', seconds(10, 86_400), 600, 'Maximum idle time of an interpreter.'),
      packages: setting('PYTHON_PACKAGES', kind.wheels, null, 'Source of Python packages, see [tools.md](tools.md).'),
    },
    embedding: optional({
      model: setting('EMBEDDING_MODEL', kind.embeddingModelName, required, 'Model that embeds files for search.'),
      dimensions: setting('EMBEDDING_DIMENSIONS', whole(1, 16_000), unset("the model's"), 'Dimensions of the vectors.'),
    }),
    imageModel: setting('IMAGE_MODEL', kind.imageModelName, unset('see below'), 'Model of the tool `textToImage`.'),
    searchUrl: setting('SEARCH_URL', kind.baseUrl, null, 'SearXNG instance of the tool `webSearch`.'),
    pluginHosts: setting('PLUGIN_HOSTS', kind.hosts, '', 'Hosts that plugins may call although they are not public.'),
  },
};

/** The settings of the configuration, named and grouped as the server reads them. */
export const settings = { ...server, ...storage, ...identity, ...models, ...limits, ...files, ...tools };

/** The settings that no log, error or response may show. */
export const secretSettings = { ...connections, ...keys, providers };

/** The same settings as the documentation groups them. */
export const sections = {
  Server: server,
  Storage: { ...storage, ...connections },
  Access: { ...keys, ...identity },
  Models: { providers, ...models },
  Limits: limits,
  Files: files,
  Tools: tools,
};
