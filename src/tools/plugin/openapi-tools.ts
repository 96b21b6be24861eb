import { setTimeout as delay } from 'node:timers/promises';
import { FormData, type RequestInit, type Response } from 'undici';
import type { CallContext } from '../call-context.ts';
import type { PluginSource } from '../plugin.ts';
import { readLimited, TooLongError } from '../read-limited.ts';
import { type CallResult, type ServerTool, ToolError } from '../tool.ts';
import { blotted, secretsOf, shownBy } from './auth.ts';
import type { HttpOperation, Parameter } from './openapi.ts';
import { BlockedHostError, type SafeFetch } from './safe-fetch.ts';

const timeoutMs = 60_000;
const maxBytes = 2_000_000;
const retries = 2;
const firstWaitMs = 300;
const maxWaitMs = 10_000;
/** What may be asked twice (RFC 9110, 9.2.1). */
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
const passing = new Set([429, 502, 503, 504]);

/** The operations of a plug-in that an OpenAPI document describes, those that are chosen. */
export function openApiTools(plugin: PluginSource, chosen: string[] | null, safe: SafeFetch): ServerTool[] {
  const operations = plugin.operations as HttpOperation[];
  return operations
    .filter(({ name }) => chosen === null || chosen.includes(name))
    .map((operation) => ({
      kind: 'PLUGIN',
      name: operation.name,
      description: `${plugin.name}: ${operation.description ?? `${operation.method} ${new URL(operation.url).pathname}`}`,
      parameters: operation.parameters,
      operation: { pluginId: plugin.id, name: operation.name },
      isRepeatable: safeMethods.has(operation.method),
      call: (args, context) => call(plugin, operation, args, context, safe),
    }));
}

async function call(
  plugin: PluginSource,
  operation: HttpOperation,
  args: Record<string, unknown>,
  { signal, userToken, write }: CallContext,
  safe: SafeFetch,
): Promise<CallResult> {
  const token = userToken(plugin.id);
  const secrets = secretsOf(plugin.auth, token);
  const shown = shownBy(plugin.auth, token);
  const { url, init } = requestOf(operation, args);
  for (const [name, value] of Object.entries(shown.query)) url.searchParams.set(name, value);
  const request = { ...init, headers: { ...init.headers, ...shown.headers } };
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await send(safe, url, { ...request, signal: AbortSignal.any([signal, timeout]) }, signal);
    write(blotted(await textOf(response), secrets));
    const { status } = response;
    if (status < 400) return { httpStatus: status };
    const error = { code: 'http_error', message: `${plugin.name} answered ${status}.`, retryable: passing.has(status) };
    return { httpStatus: status, error };
  } catch (error) {
    signal.throwIfAborted();
    throw faultOf(error, plugin.name, timeout.aborted);
  }
}

/** Sends a request; one that changes nothing again, where the server could not answer. */
async function send(safe: SafeFetch, url: URL, init: RequestInit, signal: AbortSignal): Promise<Response> {
  const tries = safeMethods.has(init.method ?? 'GET') ? retries : 0;
  for (let count = 0; ; count += 1) {
    const isLast = count >= tries;
    const answer = await safe.fetch(url, init).catch((error) => {
      if (isLast || error instanceof BlockedHostError || init.signal?.aborted) throw error;
      return null;
    });
    if (answer && (isLast || !passing.has(answer.status))) return answer;
    const asked = Number(answer?.headers.get('retry-after') ?? Number.NaN) * 1000;
    const wait = Number.isFinite(asked) ? asked : firstWaitMs * 2 ** count;
    if (answer && wait > maxWaitMs) return answer;
    await answer?.body?.cancel();
    await delay(wait, undefined, { signal });
  }
}

function faultOf(error: unknown, name: string, isLate: boolean): ToolError {
  if (error instanceof ToolError) return error;
  if (error instanceof BlockedHostError) return new ToolError('host_blocked', error.message);
  if (error instanceof TooLongError) return new ToolError('answer_too_large', `${name}: ${error.message}`);
  if (isLate) return new ToolError('timeout', `${name} did not answer within ${timeoutMs / 1000} s.`, true);
  return new ToolError('unreachable', `${name} could not be reached, or broke off.`, true);
}

/** The body of an answer as a text; of one that is none, what it is. */
async function textOf(response: Response): Promise<string> {
  const type = response.headers.get('content-type') ?? '';
  const body = await readLimited(response.body as AsyncIterable<Uint8Array> | null, maxBytes);
  const isText =
    /^text\/|json|xml|javascript|x-www-form-urlencoded|yaml/i.test(type) || (type === '' && !body.includes(0));
  return isText ? body.toString() : `[${body.length} bytes of ${type.slice(0, 100) || 'unknown type'}]`;
}

/** The request that arguments, which fit the operation's schema, come to. */
function requestOf(
  operation: HttpOperation,
  args: Record<string, unknown>,
): { url: URL; init: RequestInit & { headers: Record<string, string> } } {
  const headers: Record<string, string> = {
    accept: 'application/json, text/*;q=0.9, */*;q=0.5',
    'user-agent': 'assistant-graph',
  };
  const query: Array<[string, string]> = [];
  let address = operation.url;
  for (const input of operation.inputs) {
    const value = args[input.argument];
    if (value === undefined) continue;
    if (input.in === 'path') address = address.replaceAll(`{${input.name}}`, segment(input.argument, value));
    else if (input.in === 'query') query.push(...pairsOf(input, value));
    else headers[input.name.toLowerCase()] = plain(value).replace(/[\r\n\0]/g, ' ');
  }
  const url = new URL(address);
  for (const [name, value] of query) url.searchParams.append(name, value);
  const init: RequestInit & { headers: Record<string, string> } = { method: operation.method, headers };
  const { bodyType } = operation;
  if (bodyType === null || args.body === undefined) return { url, init };
  const body = bodyOf(bodyType, args.body);
  // The boundary of a form is fetch's to say.
  if (typeof body === 'string') headers['content-type'] = bodyType;
  return { url, init: { ...init, body } };
}

/** A value as one part of a path: it leads nowhere else. Throws ToolError for what every server takes for another path. */
function segment(name: string, value: unknown): string {
  const text = encodeURIComponent(plain(value));
  if (text === '' || /^\.{1,2}$/.test(text)) {
    throw new ToolError('invalid_argument', `${name} must not be empty, "." or "..".`);
  }
  return text;
}

const plain = (value: unknown): string => {
  if (Array.isArray(value)) return value.map(plain).join(',');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
};

const delimiters: Record<string, string> = { spaceDelimited: ' ', pipeDelimited: '|' };

/** A query parameter as its style says (OpenAPI 3.1, "Style Values"). */
function pairsOf({ name, style, explode }: Parameter, value: unknown): Array<[string, string]> {
  if (Array.isArray(value)) {
    if (explode) return value.map((one) => [name, plain(one)]);
    return [[name, value.map(plain).join(delimiters[style] ?? ',')]];
  }
  if (typeof value !== 'object' || value === null) return [[name, plain(value)]];
  const entries = Object.entries(value);
  if (style === 'deepObject') return entries.map(([key, one]) => [`${name}[${key}]`, plain(one)]);
  if (explode) return entries.map(([key, one]) => [key, plain(one)]);
  return [[name, entries.flatMap(([key, one]) => [key, plain(one)]).join(',')]];
}

function bodyOf(type: string, value: unknown): string | FormData {
  if (/json/i.test(type)) return JSON.stringify(value);
  if (/^text\//i.test(type)) return plain(value);
  const entries = Object.entries((value ?? {}) as Record<string, unknown>);
  if (/urlencoded/i.test(type)) return new URLSearchParams(entries.map(([key, one]) => [key, plain(one)])).toString();
  const form = new FormData();
  for (const [key, one] of entries) form.append(key, plain(one));
  return form;
}
