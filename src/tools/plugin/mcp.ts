import type { Client } from '@modelcontextprotocol/client';
import type { CallContext } from '../call-context.ts';
import { InvalidPluginError, type PluginSource } from '../plugin.ts';
import { type CallResult, type ServerTool, ToolError } from '../tool.ts';
import { blotted, secretsOf, shownBy } from './auth.ts';
import { legalName } from './operation-name.ts';
import { BlockedHostError, type SafeFetch } from './safe-fetch.ts';

const connectMs = 15_000;
const callMs = 60_000;
const wholeMs = 300_000;
const maxBytes = 10_000_000;
const maxDescription = 1024;

/** A tool of an MCP server, ready to be called. */
export interface McpOperation {
  name: string;
  description: string | null;
  parameters: Record<string, unknown>;
  /** What the server calls it. */
  remoteName: string;
  isRepeatable: boolean;
}

/** Where a server is, and what is shown to it. */
interface Connection {
  url: string;
  headers: Record<string, string>;
  query: Record<string, string>;
}

async function connected<T>(
  safe: SafeFetch,
  { url, headers, query }: Connection,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  // Loading it takes a while: only for those who need it.
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
    fetch: limited(fetchSafely),
    reconnectionOptions: {
      maxRetries: 1,
      initialReconnectionDelay: 500,
      maxReconnectionDelay: 2000,
      reconnectionDelayGrowFactor: 2,
    },
  });
  const client = new mcp.Client({ name: 'assistant-graph', version: '1' });
  // What it tells here, the call that was made fails with.
  client.onerror = () => {};
  try {
    await client.connect(transport, { timeout: connectMs, signal });
    return await work(client);
  } catch (error) {
    throw blocked ?? error;
  } finally {
    await transport.terminateSession().catch(() => {});
    await client.close().catch(() => {});
  }
}

type Fetch = (input: string | URL, init?: RequestInit) => Promise<globalThis.Response>;

/** Answers that go on for ever are not read for ever. */
const limited =
  (fetchIt: Fetch): Fetch =>
  async (input, init) => {
    const response = await fetchIt(input, init);
    let size = 0;
    const count = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        size += chunk.length;
        if (size > maxBytes) controller.error(new Error('the answer is too large'));
        else controller.enqueue(chunk);
      },
    });
    const { status, statusText, headers } = response;
    const body = response.body && ![204, 205, 304].includes(status) ? response.body.pipeThrough(count) : null;
    return new globalThis.Response(body, { status, statusText, headers });
  };

/** The tools of an MCP server. Throws InvalidPluginError, which says why they could not be read. */
export async function readMcp(
  safe: SafeFetch,
  source: Pick<PluginSource, 'url' | 'auth'>,
  signal: AbortSignal,
): Promise<McpOperation[]> {
  const url = source.url ?? '';
  // The server is asked by whoever registers it: no user is there yet.
  const shown = source.auth?.type === 'user_token' ? { headers: {}, query: {} } : shownBy(source.auth, null);
  try {
    const tools = await connected(
      safe,
      { url, ...shown },
      signal,
      async (client) => (await client.listTools(undefined, { timeout: connectMs })).tools,
    );
    const taken = new Set<string>();
    return tools.map(({ name, description, inputSchema, annotations }) => ({
      name: legalName(name, name, taken),
      description: description?.slice(0, maxDescription) ?? null,
      parameters: inputSchema as Record<string, unknown>,
      remoteName: name,
      isRepeatable: annotations?.readOnlyHint === true || annotations?.idempotentHint === true,
    }));
  } catch (error) {
    if (error instanceof BlockedHostError) throw new InvalidPluginError(error.message);
    throw new InvalidPluginError('No MCP server answered at this address, over streamable HTTP.', { cause: error });
  }
}

/** The tools of an MCP server, those that are chosen. */
export function mcpTools(plugin: PluginSource, chosen: string[] | null, safe: SafeFetch): ServerTool[] {
  const operations = plugin.operations as McpOperation[];
  return operations
    .filter(({ name }) => chosen === null || chosen.includes(name))
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
  const write = (text: string) => context.write(blotted(text, secrets));
  const connection = { url: plugin.url ?? '', ...shownBy(plugin.auth, token) };
  try {
    return await connected(safe, connection, signal, async (client) => {
      const onprogress = ({ progress, total, message }: { progress: number; total?: number; message?: string }) =>
        write(`[${progress}${total === undefined ? '' : ` of ${total}`}${message ? `: ${message}` : ''}]\n`);
      const result = await client.callTool(
        { name: remoteName, arguments: args },
        { timeout: callMs, resetTimeoutOnProgress: true, maxTotalTimeout: wholeMs, signal, onprogress },
      );
      await tell(result.content as Content[], result.structuredContent, { ...context, write });
      if (!result.isError) return {};
      const error = { code: 'tool_error', message: `${plugin.name} says that the call failed.`, retryable: false };
      return { error };
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ToolError) throw error;
    if (error instanceof BlockedHostError) throw new ToolError('host_blocked', error.message);
    const isLate = (error as { code?: unknown }).code === 'REQUEST_TIMEOUT';
    if (isLate) throw new ToolError('timeout', `${plugin.name} did not answer in time.`, true);
    throw new ToolError('unreachable', `${plugin.name} could not be reached, or did not speak MCP.`, true);
  }
}

interface Content {
  type: string;
  text?: string;
  data?: string;
  mimeType?: string;
  uri?: string;
  name?: string;
  resource?: { uri: string; text?: string; blob?: string; mimeType?: string };
}

/** Writes what a call answered; what is no text becomes a file. */
async function tell(content: Content[] = [], structured: unknown, context: CallContext): Promise<void> {
  for (const part of content) await tellPart(part, context);
  if (content.length === 0 && structured !== undefined) context.write(JSON.stringify(structured));
}

async function tellPart(part: Content, { write, saveFile }: CallContext): Promise<void> {
  const { resource } = part;
  const data = part.data ?? resource?.blob;
  if (data !== undefined) {
    const mimeType = part.mimeType ?? resource?.mimeType ?? 'application/octet-stream';
    const ending = /\/([a-z0-9]+)/.exec(mimeType)?.[1] ?? 'bin';
    const saved = await saveFile(`answer.${ending}`, mimeType, Buffer.from(data, 'base64'));
    write(`[The file ${saved.name}, ${saved.sizeBytes} bytes, is kept in the conversation.]\n`);
  } else if (part.text !== undefined) write(`${part.text}\n`);
  else if (resource?.text !== undefined) write(`${resource.uri}:\n${resource.text}\n`);
  else if (part.uri !== undefined) write(`${part.name ?? ''} ${part.uri}\n`);
}
