import { z } from 'zod';

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
const hostShape = /^[a-z0-9.-]+$|^[0-9a-f:.]+(\/\d{1,3})?$/;
const hosts = z.string().transform((text, ctx) => {
  const list = text.split(',').map((host) => host.trim().toLowerCase());
  if (!list.every((host) => hostShape.test(host))) ctx.addIssue('no host');
  return list;
});
const key = z.string().regex(/^[\x21-\x7e]+$/);

/** Each variable: what it accepts, in words for the one line of refusal, and how it is read. */
export const variables = {
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
  PUBLIC_URL: ['an http(s) address without a path', httpUrl.refine((url) => new URL(url).pathname === '/')],
  FILES_DIR: ['a folder', z.string().min(1)],
  MAX_UPLOAD_BYTES: ['a whole number from 1 to 2000000000', whole(1, 2_000_000_000)],
  MAX_UPLOADS: ['a whole number from 1 to 100', whole(1, 100)],
  MAX_WORKSPACE_FILE_BYTES: ['a whole number from 1 to 1000000000000000', whole(1, 1e15)],
  MAX_USER_FILE_BYTES: ['a whole number from 1 to 1000000000000000', whole(1, 1e15)],
  FILE_URL_SECONDS: ['a whole number of seconds from 10 to 86400', whole(10, 86_400)],
  PYTHON_MEMORY_MB: ['a whole number of megabytes from 128 to 4096', whole(128, 4096)],
  PYTHON_SANDBOXES: ['a whole number from 1 to 1000', whole(1, 1000)],
  PYTHON_READY: ['a whole number from 0 to 100', whole(0, 100)],
  PYTHON_IDLE_SECONDS: ['a whole number of seconds from 10 to 86400', whole(10, 86_400)],
  PYTHON_PACKAGES: [
    'a folder of wheels, or the http(s) address of a release of Pyodide',
    z.union([httpUrl, z.string().regex(/^(?!\w+:\/\/)./s)]),
  ],
  EMBEDDING_MODEL: ['an embedding model, for example alibaba/text-embedding-v4', z.string().regex(/^[^/\s]+\/\S+$/)],
  EMBEDDING_DIMENSIONS: ['a whole number from 1 to 16000', whole(1, 16_000)],
  IMAGE_MODEL: ['an image model, for example openai/gpt-image-1-mini', z.string().regex(/^[^/\s]+\/\S+$|^demo$/)],
  SEARCH_URL: ['the http(s) address of a SearXNG', httpUrl],
  PLUGIN_HOSTS: ['hosts and ranges such as crm.internal or 10.1.0.0/16, separated by commas', hosts],
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
