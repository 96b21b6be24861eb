import type { RequestInit, Response } from 'undici';
import { readLimited, TooLongError } from '../../async/read-limited.ts';
import { retry } from '../../async/retry.ts';
import type { CallContext } from '../call-context.ts';
import { pluginCallLimits } from '../limits.ts';
import type { PluginSource } from '../plugin-source.ts';
import { type CallResult, type ServerTool, ToolError } from '../tool.ts';
import { credentialOf, redact, secretsOf } from './auth.ts';
import type { HttpOperation } from './openapi.ts';
import { requestOf } from './openapi-request.ts';
import { BlockedHostError, type SafeFetch } from './safe-fetch.ts';

const maxTries = 3;
const firstWaitMs = 300;
const maxWaitMs = 10_000;
/** Methods of requests that may be repeated (RFC 9110, 9.2.1). */
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
/** The status codes of temporary failures. */
const temporary = new Set([429, 502, 503, 504]);

/** The tools of an OpenAPI plugin. `selected`: the names of its operations; null: all. */
export function openApiTools(plugin: PluginSource, selected: string[] | null, safe: SafeFetch): ServerTool[] {
  const operations = plugin.operations as HttpOperation[];
  return operations
    .filter(({ name }) => selected === null || selected.includes(name))
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
  const credential = credentialOf(plugin.auth, token);
  const { url, init } = requestOf(operation, args);
  for (const [name, value] of Object.entries(credential.query)) url.searchParams.set(name, value);
  const request = { ...init, headers: { ...init.headers, ...credential.headers } };
  const timeout = AbortSignal.timeout(pluginCallLimits.openApiMs);
  try {
    const response = await send(safe, url, { ...request, signal: AbortSignal.any([signal, timeout]) }, signal);
    write(redact(await textOf(response), secrets));
    const { status } = response;
    if (status < 400) return { httpStatus: status };
    const message = `${plugin.name} responded with status ${status}.`;
    return { httpStatus: status, error: { code: 'http_error', message, retryable: temporary.has(status) } };
  } catch (error) {
    signal.throwIfAborted();
    throw faultOf(error, plugin.name, timeout.aborted);
  }
}

/** The server responded with the status of a temporary failure. */
class TemporaryFailure extends Error {
  readonly response: Response;
  constructor(response: Response) {
    super(`status ${response.status}`);
    this.response = response;
  }
}

/**
 * Sends a request. One with a safe method is sent again after a temporary failure. Returns the last response. Throws
 * BlockedHostError and the errors of `fetch`.
 */
async function send(safe: SafeFetch, url: URL, init: RequestInit, signal: AbortSignal): Promise<Response> {
  const sendOnce = async () => {
    const response = await safe.fetch(url, init);
    if (temporary.has(response.status)) throw new TemporaryFailure(response);
    return response;
  };
  const wait = (error: unknown, failed: number) => {
    if (error instanceof BlockedHostError || init.signal?.aborted) return null;
    const backoffMs = firstWaitMs * 2 ** (failed - 1);
    if (!(error instanceof TemporaryFailure)) return backoffMs;
    const { headers, body } = error.response;
    const requestedMs = Number(headers.get('retry-after') ?? Number.NaN) * 1000;
    const waitMs = Number.isFinite(requestedMs) ? requestedMs : backoffMs;
    if (waitMs > maxWaitMs) return null;
    void body?.cancel().catch(() => {});
    return waitMs;
  };
  const tries = safeMethods.has(init.method ?? 'GET') ? maxTries : 1;
  return retry(sendOnce, { tries, wait, signal }).catch((error) => {
    if (error instanceof TemporaryFailure) return error.response;
    throw error;
  });
}

function faultOf(error: unknown, name: string, isTimeout: boolean): ToolError {
  if (error instanceof ToolError) return error;
  if (error instanceof BlockedHostError) return new ToolError('host_blocked', error.message);
  if (error instanceof TooLongError) return new ToolError('answer_too_large', `${name}: ${error.message}`);
  if (isTimeout)
    return new ToolError('timeout', `${name} did not respond within ${pluginCallLimits.openApiMs / 1000} s.`, true);
  return new ToolError('unreachable', `${name} could not be reached, or the connection broke.`, true);
}

/** The body of a response as text; for a binary body its size and type. */
async function textOf(response: Response): Promise<string> {
  const type = response.headers.get('content-type') ?? '';
  const body = await readLimited(
    response.body as AsyncIterable<Uint8Array> | null,
    pluginCallLimits.openApiResponseBytes,
  );
  const isText =
    /^text\/|json|xml|javascript|x-www-form-urlencoded|yaml/i.test(type) || (type === '' && !body.includes(0));
  return isText ? body.toString() : `[${body.length} bytes of ${type.slice(0, 100) || 'unknown type'}]`;
}
