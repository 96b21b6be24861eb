import { readLimited, TooLongError } from '../../async/read-limited.ts';
import { documentLimits } from '../limits.ts';
import {
  InvalidPluginError,
  type McpSource,
  type OpenApiSource,
  type PluginReader,
  type ReadPlugin,
} from '../plugin-source.ts';
import type { DocumentReader } from './document-reader.ts';
import { readMcp } from './mcp.ts';
import { withinLimits } from './operation-limits.ts';
import { BlockedHostError, type SafeFetch } from './safe-fetch.ts';

/** Reads the operations of plugins from OpenAPI documents and MCP servers. */
export class Plugins implements PluginReader {
  readonly #safe: SafeFetch;
  readonly #documents: DocumentReader;

  constructor(safe: SafeFetch, documents: DocumentReader) {
    this.#safe = safe;
    this.#documents = documents;
  }

  async readOpenApi(source: OpenApiSource, signal: AbortSignal): Promise<ReadPlugin> {
    const { workspaceId, url, serverUrl, selected, most } = source;
    const document = url === null ? (source.document ?? '') : await this.#download(url, signal);
    const options = { serverUrl, documentUrl: url, selected, most };
    return { document, ...(await this.#documents.read(workspaceId, document, options, signal)) };
  }

  async readMcp(source: McpSource, signal: AbortSignal): Promise<ReadPlugin> {
    const operations = await readMcp(
      this.#safe,
      source,
      AbortSignal.any([signal, AbortSignal.timeout(documentLimits.readMs)]),
    );
    if (operations.length === 0) throw new InvalidPluginError('The server has no tools.');
    const selected = operations.filter(({ name }) => source.selected.length === 0 || source.selected.includes(name));
    const names = operations.map(({ name }) => name);
    return { document: null, names, operations: selected.length > source.most ? [] : withinLimits(selected) };
  }

  async #download(url: string, signal: AbortSignal): Promise<string> {
    try {
      const response = await this.#safe.fetch(new URL(url), {
        headers: { accept: 'application/json, application/yaml, text/yaml, */*;q=0.5' },
        signal: AbortSignal.any([signal, AbortSignal.timeout(documentLimits.readMs)]),
      });
      if (!response.ok) {
        throw new InvalidPluginError(`The URL of the document responded with status ${response.status}.`);
      }
      return (await readLimited(response.body as AsyncIterable<Uint8Array> | null, documentLimits.bytes)).toString();
    } catch (error) {
      if (error instanceof InvalidPluginError) throw error;
      if (error instanceof BlockedHostError || error instanceof TooLongError)
        throw new InvalidPluginError(error.message);
      throw new InvalidPluginError('The URL of the document could not be reached.', { cause: error });
    }
  }
}
