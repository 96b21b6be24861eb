import {
  InvalidPluginError,
  type McpSource,
  type OpenApiSource,
  type PluginReader,
  type ReadPlugin,
} from '../plugin.ts';
import { readLimited, TooLongError } from '../read-limited.ts';
import { withinLimits } from './limits.ts';
import { readMcp } from './mcp.ts';
import { readInThread } from './read-in-thread.ts';
import { BlockedHostError, type SafeFetch } from './safe-fetch.ts';

const timeoutMs = 20_000;
const maxDocumentBytes = 5_000_000;

/** Reads what plug-ins offer: from documents, from where documents are, and from MCP servers. */
export class Plugins implements PluginReader {
  readonly #safe: SafeFetch;
  readonly #readDocumentMs: number;

  constructor(safe: SafeFetch, { readDocumentMs }: { readDocumentMs: number }) {
    this.#safe = safe;
    this.#readDocumentMs = readDocumentMs;
  }

  async readOpenApi(source: OpenApiSource, signal: AbortSignal): Promise<ReadPlugin> {
    const { url, serverUrl, selected, most } = source;
    const document = url === null ? (source.document ?? '') : await this.#download(url, signal);
    const within = { signal, timeoutMs: this.#readDocumentMs };
    return { document, ...(await readInThread(document, { serverUrl, documentUrl: url, selected, most }, within)) };
  }

  async readMcp(source: McpSource, signal: AbortSignal): Promise<ReadPlugin> {
    const operations = await readMcp(this.#safe, source, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
    if (operations.length === 0) throw new InvalidPluginError('The server has no tools.');
    const chosen = operations.filter(({ name }) => source.selected.length === 0 || source.selected.includes(name));
    const names = operations.map(({ name }) => name);
    return { document: null, names, operations: chosen.length > source.most ? [] : withinLimits(chosen) };
  }

  async #download(url: string, signal: AbortSignal): Promise<string> {
    try {
      const response = await this.#safe.fetch(new URL(url), {
        headers: { accept: 'application/json, application/yaml, text/yaml, */*;q=0.5' },
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      if (!response.ok) throw new InvalidPluginError(`The address of the document answered ${response.status}.`);
      return (await readLimited(response.body as AsyncIterable<Uint8Array> | null, maxDocumentBytes)).toString();
    } catch (error) {
      if (error instanceof InvalidPluginError) throw error;
      if (error instanceof BlockedHostError || error instanceof TooLongError)
        throw new InvalidPluginError(error.message);
      throw new InvalidPluginError('The address of the document could not be reached.');
    }
  }
}
