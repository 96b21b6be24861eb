import { resolve } from 'node:path';
import { z } from 'zod';
import { isMistyped } from './secret.ts';

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
  quota: { socket: { key: number; user: number }; stream: { key: number; user: number } };
  /** When sockets and streams are given up. */
  liveness: { askEveryMs: number; silentMs: number; idleMs: number };
  /** Origins whose pages may talk to the graph; `*`: all. */
  corsOrigins: '*' | readonly string[];
  introspection: boolean;
  /** Whose tokens are accepted beside our own. */
  oidc: OidcSettings | null;
  /** A JSON file that adds to or overrides the built-in table of models and prices. */
  modelCatalog: string | null;
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

const whole = (min: number, max: number) =>
  z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(min).max(max));
const httpUrl = z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, ''));
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const claim = z.string().min(1).max(200);
const originShape = /^(https?:\/\/[a-z0-9.-]+(:\d+)?|https?:\/\/\[[0-9a-f:]+\](:\d+)?|null)$/i;
const origins = z.string().transform((text, ctx) => {
  if (text.trim() === '*') return '*' as const;
  const list = text.split(',').map((origin) => origin.trim().toLowerCase());
  if (!list.every((origin) => originShape.test(origin))) ctx.addIssue('no origin');
  return list;
});
const key = z.string().regex(/^[\x21-\x7e]+$/);

/** Each variable: what it accepts, in words for the one line of refusal, and how it is read. */
const variables = {
  HOST: ['an address to listen on, for example 127.0.0.1 or ::', z.string().regex(/^[\w.:-]+$/)],
  PORT: ['a whole number from 0 to 65535', whole(0, 65_535)],
  DATA_DIR: ['a folder', z.string().min(1)],
  DATABASE_URL: ['a postgres:// or postgresql:// address', z.url({ protocol: /^postgres(ql)?$/ })],
  DATABASE_CONNECTIONS: ['a whole number from 2 to 1000', whole(2, 1000)],
  REDIS_URL: ['a redis:// or rediss:// address', z.url({ protocol: /^rediss?$/ })],
  ADMIN_KEY: ['at least 16 printable characters without spaces', key.min(16).max(200)],
  SECRET_KEY: ['at least 32 printable characters without spaces', key.min(32).max(500)],
  ROLE: ['all, api or worker', z.enum(['all', 'api', 'worker'])],
  DASHSCOPE_API_KEY: ['a key without spaces', key],
  DASHSCOPE_BASE_URL: ['an http(s) address', httpUrl],
  OPENAI_API_KEY: ['a key without spaces', key],
  OPENAI_BASE_URL: ['an http(s) address', httpUrl],
  DEFAULT_MODEL: ['a model, for example alibaba/qwen-plus or demo', z.string().regex(/^\S{1,200}$/)],
  DEMO_DELAY_MS: ['a whole number of milliseconds from 0 to 10000', whole(0, 10_000)],
  MODEL_TIMEOUT_SECONDS: ['a whole number of seconds from 1 to 3600', whole(1, 3600)],
  MODEL_STALL_SECONDS: ['a whole number of seconds from 1 to 3600', whole(1, 3600)],
  MODEL_RETRIES: ['a whole number from 0 to 10', whole(0, 10)],
  MODEL_CATALOG: ['a path to a JSON file', z.string().min(1)],
  WORKER_CONCURRENCY: ['a whole number from 1 to 1000', whole(1, 1000)],
  MAX_BODY_BYTES: ['a whole number from 1024 to 1000000000', whole(1024, 1_000_000_000)],
  MAX_SOCKETS_PER_KEY: ['a whole number from 1 to 1000000', whole(1, 1_000_000)],
  MAX_SOCKETS_PER_USER: ['a whole number from 1 to 1000000', whole(1, 1_000_000)],
  MAX_STREAMS_PER_KEY: ['a whole number from 1 to 1000000', whole(1, 1_000_000)],
  MAX_STREAMS_PER_USER: ['a whole number from 1 to 1000000', whole(1, 1_000_000)],
  SOCKET_SILENT_SECONDS: ['a whole number of seconds from 10 to 3600', whole(10, 3600)],
  SOCKET_IDLE_SECONDS: ['a whole number of seconds from 10 to 86400', whole(10, 86_400)],
  CORS_ORIGINS: ['origins such as https://app.example.com, separated by commas, or *', origins],
  INTROSPECTION: ['true or false', flag],
  OIDC_ISSUER: ['an http(s) address', z.url({ protocol: /^https?$/ })],
  OIDC_AUDIENCE: ['a text', z.string().min(1).max(500)],
  OIDC_JWKS_URI: ['an http(s) address', z.url({ protocol: /^https?$/ })],
  OIDC_USER_CLAIM: ['the name of a claim, for example sub', claim],
  OIDC_WORKSPACE_CLAIM: ['the name of a claim', claim],
  OIDC_SCOPES_CLAIM: ['the name of a claim, for example scope', claim],
  GRAPHIQL: ['true or false', flag],
  LOG_LEVEL: [
    'trace, debug, info, warn, error, fatal or silent',
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  ],
  NODE_ENV: ['any word', z.string()],
} as const;

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
    model: {
      timeoutMs: (read.MODEL_TIMEOUT_SECONDS ?? 60) * 1000,
      stallMs: (read.MODEL_STALL_SECONDS ?? 60) * 1000,
      retries: read.MODEL_RETRIES ?? 3,
    },
    maxBodyBytes: read.MAX_BODY_BYTES ?? 8_000_000,
    ...boundsOf(read),
    modelCatalog: read.MODEL_CATALOG ?? null,
  };
}

/** What may be open at a time, and for how long nothing needs to happen on it. */
function boundsOf(read: Values): Pick<Config, 'quota' | 'liveness'> {
  return {
    quota: {
      socket: { key: read.MAX_SOCKETS_PER_KEY ?? 10_000, user: read.MAX_SOCKETS_PER_USER ?? 100 },
      stream: { key: read.MAX_STREAMS_PER_KEY ?? 20_000, user: read.MAX_STREAMS_PER_USER ?? 500 },
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
