import type { Client } from '@modelcontextprotocol/client';
import type { CallContext } from '../call-context.ts';
import { documentLimits, pluginCallLimits } from '../limits.ts';
import { InvalidPluginError, type PluginSource } from '../plugin-source.ts';
import { type CallResult, type ServerTool, ToolError } from '../tool.ts';
import { credentialOf, type RequestCredential, redact, secretsOf } from './auth.ts';
import { legalName } from './operation-name.ts';
import { BlockedHostError, type SafeFetch } from './safe-fetch.ts';

/** A tool of an MCP server, with everything that a call needs. */
export interface McpOperation {
  name: string;
  description: string | null;
  parameters: Record<string, unknown>;
  /** The name of the tool at the server. */
  remoteName: string;
  isRepeatable: boolean;
}

interface Connection extends RequestCredential {
  url: string;
}

/** Connects to a server for the duration of `work`. Throws BlockedHostError, and the errors of the client and of `work`. */
async function withClient<T>(
  safe: SafeFetch,
  { url, headers, query }: Connection,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  // The client takes long to load, and most servers have no MCP plugin.
  const mcp = await import('@modelcontextprotocol/client');
  const address = new URL(url);
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  let blocked: BlockedHostError | null = null;
  const fetchSafely = async (input: string | URL, init: RequestInit = {}) => {
    const plain = Object.fromEntries(new Headers(init.headers).entries());
    const request = { ...init, headers: { ...plain, ...headers } } as never;
    return safe.fetch(new URL(input), request).catch((error) => {
      if (error instanceof BlockedHostError) blocked = error;
      throw error;
    }) as unknown as Promise<globalThis.Response>;
  };
  const transport = new mcp.StreamableHTTPClientTransport(address, {
    fetch: withLimit(fetchSafely),
    reconnectionOptions: {
      maxRetries: 1,
      initialReconnectionDelay: 500,
      maxReconnectionDelay: 2000,
      reconnectionDelayGrowFactor: 2,
    },
  });
  const client = new mcp.Client({ name: 'assistant-graph', version: '1' });
  // The call fails with the same error.
  client.onerror = () => {};
  try {
    await client.connect(transport, { timeout: pluginCallLimits.mcpConnectMs, signal });
    return await work(client);
  } catch (error) {
    throw blocked ?? error;
  } finally {
    await transport.terminateSession().catch(() => {});
    await client.close().catch(() => {});
  }
}

type Fetch = (input: string | URL, init?: RequestInit) => Promise<globalThis.Response>;

/** A `fetch` whose response bodies fail beyond the limit of bytes together: streams and lists may be endless. */
function withLimit(fetch: Fetch): Fetch {
  let size = 0;
  return async (input, init) => {
    const response = await fetch(input, init);
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        size += chunk.length;
        if (size > pluginCallLimits.mcpResponseBytes) controller.error(new Error('the response is too large'));
        else controller.enqueue(chunk);
      },
    });
    const { status, statusText, headers } = response;
    const body = response.body && ![204, 205, 304].includes(status) ? response.body.pipeThrough(count) : null;
    return new globalThis.Response(body, { status, statusText, headers });
  };
}

/** Lists the tools of an MCP server. Throws InvalidPluginError with the reason why that failed. */
export async function readMcp(
  safe: SafeFetch,
  source: Pick<PluginSource, 'url' | 'auth'>,
  signal: AbortSignal,
): Promise<McpOperation[]> {
  const url = source.url ?? '';
  // The token of a run's user does not exist yet when a plugin is registered.
  const credential = source.auth?.type === 'user_token' ? { headers: {}, query: {} } : credentialOf(source.auth, null);
  try {
    const tools = await withClient(
      safe,
      { url, ...credential },
      signal,
      async (client) => (await client.listTools(undefined, { timeout: pluginCallLimits.mcpConnectMs })).tools,
    );
    const taken = new Set<string>();
    return tools.map(({ name, description, inputSchema, annotations }) => ({
      name: legalName(name, name, taken),
      description: description?.slice(0, documentLimits.description) ?? null,
      parameters: inputSchema as Record<string, unknown>,
      remoteName: name,
      isRepeatable: annotations?.readOnlyHint === true || annotations?.idempotentHint === true,
    }));
  } catch (error) {
    if (error instanceof BlockedHostError) throw new InvalidPluginError(error.message);
    throw new InvalidPluginError('No MCP server responded at this URL over streamable HTTP.', { cause: error });
  }
}

/** The tools of an MCP plugin. `selected`: the names of its operations; null: all. */
export function mcpTools(plugin: PluginSource, selected: string[] | null, safe: SafeFetch): ServerTool[] {
  const operations = plugin.operations as McpOperation[];
  return operations
    .filter(({ name }) => selected === null || selected.includes(name))
    .map((operation) => ({
      kind: 'PLUGIN',
      name: operation.name,
      description: `${plugin.name}: ${operation.description ?? operation.remoteName}`,
      parameters: operation.parameters,
      operation: { pluginId: plugin.id, name: operation.name },
      isRepeatable: operation.isRepeatable,
      call: (args, context) => call(plugin, operation, args, context, safe),
    }));
}

async function call(
  plugin: PluginSource,
  { remoteName }: McpOperation,
  args: Record<string, unknown>,
  context: CallContext,
  safe: SafeFetch,
): Promise<CallResult> {
  const { signal, userToken } = context;
  const token = userToken(plugin.id);
  const secrets = secretsOf(plugin.auth, token);
  const write = (text: string) => context.write(redact(text, secrets));
  const connection = { url: plugin.url ?? '', ...credentialOf(plugin.auth, token) };
  try {
    return await withClient(safe, connection, signal, async (client) => {
      const onprogress = ({ progress, total, message }: { progress: number; total?: number; message?: string }) =>
        write(`[${progress}${total === undefined ? '' : ` of ${total}`}${message ? `: ${message}` : ''}]\n`);
      const result = await client.callTool(
        { name: remoteName, arguments: args },
        {
          timeout: pluginCallLimits.mcpSilentMs,
          resetTimeoutOnProgress: true,
          maxTotalTimeout: pluginCallLimits.mcpMs,
          signal,
          onprogress,
        },
      );
      await writeContent(result.content as Content[], result.structuredContent, { ...context, write });
      if (!result.isError) return {};
      const error = { code: 'tool_error', message: `${plugin.name} reported an error.`, retryable: false };
      return { error };
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ToolError) throw error;
    if (error instanceof BlockedHostError) throw new ToolError('host_blocked', error.message);
    const isTimeout = (error as { code?: unknown }).code === 'REQUEST_TIMEOUT';
    if (isTimeout) throw new ToolError('timeout', `${plugin.name} did not respond in time.`, true);
    throw new ToolError('unreachable', `${plugin.name} could not be reached, or did not respond with MCP.`, true);
  }
}

/** A part of the result of a call, as MCP defines it. */
interface Content {
  type: string;
  text?: string;
  data?: string;
  mimeType?: string;
  uri?: string;
  name?: string;
  resource?: { uri: string; text?: string; blob?: string; mimeType?: string };
}

/** Writes the result of a call to the output. Binary parts are stored as files. */
async function writeContent(content: Content[] = [], structured: unknown, context: CallContext): Promise<void> {
  let files = 0;
  for (const part of content) {
    if (dataOf(part) !== undefined) files += 1;
    if (files > pluginCallLimits.mcpFiles) {
      context.write(`[Further files were not kept: a call can return ${pluginCallLimits.mcpFiles}.]\n`);
      return;
    }
    await writePart(part, context);
  }
  if (content.length === 0 && structured !== undefined) context.write(JSON.stringify(structured));
}

const dataOf = ({ data, resource }: Content) => data ?? resource?.blob;

async function writePart(part: Content, { write, saveFile }: CallContext): Promise<void> {
  const { resource } = part;
  const data = dataOf(part);
  if (data !== undefined) {
    const mimeType = part.mimeType ?? resource?.mimeType ?? 'application/octet-stream';
    const extension = /\/([a-z0-9]+)/.exec(mimeType)?.[1] ?? 'bin';
    const saved = await saveFile(`answer.${extension}`, mimeType, Buffer.from(data, 'base64'));
    write(`[The file ${saved.name}, ${saved.sizeBytes} bytes, was added to the conversation.]\n`);
  } else if (part.text !== undefined) write(`${part.text}\n`);
  else if (resource?.text !== undefined) write(`${resource.uri}:\n${resource.text}\n`);
  else if (part.uri !== undefined) write(`${part.name ?? ''} ${part.uri}\n`);
}
