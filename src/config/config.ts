import { join, resolve } from 'node:path';
import type { z } from 'zod';
import { isMistyped } from '../secret/key-secret.ts';
import { variables } from './settings.ts';
import { defaultTiming, type Timing } from './timing.ts';

/** A setting that stops the start; `message` is the one line to show. */
export class ConfigError extends Error {}

/** How to reach a provider of models. */
export interface ProviderSettings {
  baseURL: string;
  /** Empty for servers that ask for none (Ollama, vLLM, …). */
  apiKey: string;
}

/** An identity provider (OpenID Connect), and which claims of its tokens say what. */
export interface OidcSettings {
  issuer: string;
  audience: string;
  /** Where its keys are; null: where its discovery document says. */
  jwksUri: string | null;
  userClaim: string;
  /** null: its users act in the default workspace. */
  workspaceClaim: string | null;
  scopesClaim: string;
}

/** What the server was told by its environment: validated and frozen. Durations are in milliseconds. */
export interface Config {
  host: string;
  port: number;
  /** Where the embedded database, files and the first key live. */
  dataDir: string;
  /** A PostgreSQL to use instead of the embedded database. */
  databaseUrl: string | null;
  /** How many connections to it a process opens at most, beside a few of the queue and one of the bus. */
  databaseConnections: number;
  role: 'all' | 'api' | 'worker';
  defaultModel: string | null;
  production: boolean;
  graphiql: boolean;
  logLevel: string;
  /** How many runs one process executes at a time. */
  workerConcurrency: number;
  demoDelayMs: number;
  model: { timeoutMs: number; stallMs: number; retries: number };
  maxBodyBytes: number;
  /** What may be open at a time, in each process, for a key and for an end user. */
  quota: Record<'socket' | 'stream' | 'upload', { key: number; user: number }>;
  /** When sockets and streams are given up. */
  liveness: { askEveryMs: number; silentMs: number; idleMs: number };
  /** Origins whose pages may talk to the graph; `*`: all. */
  corsOrigins: '*' | readonly string[];
  introspection: boolean;
  /** Whose tokens are accepted beside our own. */
  oidc: OidcSettings | null;
  /** Where clients reach it, without a path; null: where it listens. */
  publicUrl: string | null;
  files: FileSettings;
  tools: ToolSettings;
  /** A JSON file that adds to or overrides the built-in table of models and prices. */
  modelCatalog: string | null;
  timing: Timing;
}

/** Where files are kept, and how much of them. */
interface FileSettings {
  folder: string;
  uploadBytes: number;
  /** How many files come with one request. */
  uploads: number;
  workspaceBytes: number;
  userBytes: number;
  /** How long an address of a file is good at least. */
  linkMs: number;
}

/** What the tools have that the server runs itself. */
interface ToolSettings {
  python: {
    memoryMb: number;
    /** How many interpreters a process holds at most. */
    sandboxes: number;
    /** How many interpreters are kept ready. */
    ready: number;
    /** How long the state of a thread is kept that is not used. */
    idleMs: number;
    /** A folder of wheels to import from, or the address of an index; null: the standard library alone. */
    packages: string | null;
  };
  /** What passages of files are compared by, beside their words, as `provider/model`; null: by nothing. */
  embedding: { model: string; dimensions: number | null } | null;
  /** `provider/model`; null: the first provider's own, if it has one. */
  imageModel: string | null;
  /** The address of a SearXNG; null: there is none. */
  searchUrl: string | null;
  /** Hosts and ranges of addresses that plug-ins may call although they are not public. */
  pluginHosts: readonly string[];
}

/** What no log, error or answer may show. */
export interface Secrets {
  /** null: made at the first start and kept in the data folder. */
  adminKey: string | null;
  /** A Redis that carries live hints between instances; its password stands in it. */
  redisUrl: string | null;
  /** What keys are hashed with and secrets sealed; null: made at the first start and kept in the data folder. */
  secretKey: string | null;
  alibaba: ProviderSettings | null;
  openai: ProviderSettings | null;
}

type Values = { [name in keyof typeof variables]?: z.output<(typeof variables)[name][1]> };

/**
 * Reads the configuration from environment variables; an empty variable counts as absent.
 * Throws ConfigError with one line that names the variable and what it accepts, never its value.
 */
export function readConfig(environment: Record<string, string | undefined> = process.env): {
  config: Config;
  secrets: Secrets;
} {
  const values: Record<string, unknown> = {};
  for (const [name, [accepts, schema]] of Object.entries(variables)) {
    const text = environment[name];
    if (text === undefined || text === '') continue;
    const result = schema.safeParse(text);
    if (!result.success) throw new ConfigError(`${name} is not valid: it accepts ${accepts}.`);
    values[name] = result.data;
  }
  const read = values as Values;
  if ((read.OIDC_ISSUER === undefined) !== (read.OIDC_AUDIENCE === undefined)) {
    throw new ConfigError('OIDC_ISSUER and OIDC_AUDIENCE go together: set both, or neither.');
  }
  if (read.ADMIN_KEY !== undefined && isMistyped(read.ADMIN_KEY)) {
    throw new ConfigError('ADMIN_KEY is not valid: it looks like a key of this server, but has a typo.');
  }
  return { config: Object.freeze(configFrom(read)), secrets: Object.freeze(secretsFrom(read)) };
}

function configFrom(read: Values): Config {
  const production = read.NODE_ENV === 'production';
  return {
    host: read.HOST ?? '127.0.0.1',
    port: read.PORT ?? 4000,
    dataDir: resolve(read.DATA_DIR ?? '.data'),
    databaseUrl: read.DATABASE_URL ?? null,
    databaseConnections: read.DATABASE_CONNECTIONS ?? 20,
    role: read.ROLE ?? 'all',
    defaultModel: read.DEFAULT_MODEL ?? null,
    production,
    ...openness(read, production),
    oidc: oidcFrom(read),
    logLevel: read.LOG_LEVEL ?? 'info',
    workerConcurrency: read.WORKER_CONCURRENCY ?? 50,
    demoDelayMs: read.DEMO_DELAY_MS ?? 40,
    model: patienceOf(read),
    maxBodyBytes: read.MAX_BODY_BYTES ?? 8_000_000,
    ...boundsOf(read),
    modelCatalog: read.MODEL_CATALOG ?? null,
    timing: defaultTiming,
    publicUrl: read.PUBLIC_URL ?? null,
    files: filesFrom(read),
    tools: toolsFrom(read),
  };
}

function patienceOf(read: Values): Config['model'] {
  return {
    timeoutMs: (read.MODEL_TIMEOUT_SECONDS ?? 60) * 1000,
    stallMs: (read.MODEL_STALL_SECONDS ?? 60) * 1000,
    retries: read.MODEL_RETRIES ?? 3,
  };
}

function filesFrom(read: Values): FileSettings {
  return {
    folder: resolve(read.FILES_DIR ?? join(read.DATA_DIR ?? '.data', 'files')),
    uploadBytes: read.MAX_UPLOAD_BYTES ?? 100_000_000,
    uploads: read.MAX_UPLOADS ?? 10,
    workspaceBytes: read.MAX_WORKSPACE_FILE_BYTES ?? 10_000_000_000,
    userBytes: read.MAX_USER_FILE_BYTES ?? 1_000_000_000,
    linkMs: (read.FILE_URL_SECONDS ?? 900) * 1000,
  };
}

/** A path in full, or an address as it is. */
const packagesFrom = (where: string | undefined) =>
  where === undefined ? null : /^https?:/.test(where) ? where : resolve(where);

function toolsFrom(read: Values): ToolSettings {
  const { EMBEDDING_MODEL: model, EMBEDDING_DIMENSIONS: dimensions = null } = read;
  return {
    python: {
      memoryMb: read.PYTHON_MEMORY_MB ?? 512,
      sandboxes: read.PYTHON_SANDBOXES ?? 8,
      ready: read.PYTHON_READY ?? 1,
      idleMs: (read.PYTHON_IDLE_SECONDS ?? 600) * 1000,
      packages: packagesFrom(read.PYTHON_PACKAGES),
    },
    embedding: model === undefined ? null : { model, dimensions },
    imageModel: read.IMAGE_MODEL ?? null,
    searchUrl: read.SEARCH_URL ?? null,
    pluginHosts: read.PLUGIN_HOSTS ?? [],
  };
}

/** What may be open at a time, and for how long nothing needs to happen on it. */
function boundsOf(read: Values): Pick<Config, 'quota' | 'liveness'> {
  return {
    quota: {
      socket: { key: read.MAX_SOCKETS_PER_KEY ?? 10_000, user: read.MAX_SOCKETS_PER_USER ?? 100 },
      stream: { key: read.MAX_STREAMS_PER_KEY ?? 20_000, user: read.MAX_STREAMS_PER_USER ?? 500 },
      // Each holds a file of the system, and room on the disk.
      upload: { key: 100, user: 5 },
    },
    liveness: {
      askEveryMs: 15_000,
      silentMs: (read.SOCKET_SILENT_SECONDS ?? 120) * 1000,
      idleMs: (read.SOCKET_IDLE_SECONDS ?? 600) * 1000,
    },
  };
}

/** What a server shows to people who look around: in production only what is asked for. */
function openness(read: Values, production: boolean): Pick<Config, 'graphiql' | 'introspection' | 'corsOrigins'> {
  return {
    graphiql: read.GRAPHIQL ?? !production,
    introspection: read.INTROSPECTION ?? !production,
    corsOrigins: read.CORS_ORIGINS ?? (production ? [] : '*'),
  };
}

function oidcFrom(read: Values): OidcSettings | null {
  if (read.OIDC_ISSUER === undefined || read.OIDC_AUDIENCE === undefined) return null;
  return {
    issuer: read.OIDC_ISSUER,
    audience: read.OIDC_AUDIENCE,
    jwksUri: read.OIDC_JWKS_URI ?? null,
    userClaim: read.OIDC_USER_CLAIM ?? 'sub',
    workspaceClaim: read.OIDC_WORKSPACE_CLAIM ?? null,
    scopesClaim: read.OIDC_SCOPES_CLAIM ?? 'scope',
  };
}

function secretsFrom(read: Values): Secrets {
  const alibaba = read.DASHSCOPE_API_KEY
    ? {
        apiKey: read.DASHSCOPE_API_KEY,
        baseURL: read.DASHSCOPE_BASE_URL ?? 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
      }
    : null;
  const openai =
    read.OPENAI_API_KEY || read.OPENAI_BASE_URL
      ? { apiKey: read.OPENAI_API_KEY ?? '', baseURL: read.OPENAI_BASE_URL ?? 'https://api.openai.com/v1' }
      : null;
  return {
    adminKey: read.ADMIN_KEY ?? null,
    redisUrl: read.REDIS_URL ?? null,
    secretKey: read.SECRET_KEY ?? null,
    alibaba,
    openai,
  };
}
