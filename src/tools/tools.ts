import { fileSearch } from './file-search.ts';
import { mcpTools } from './plugin/mcp.ts';
import { openApiTools } from './plugin/openapi-tools.ts';
import type { SafeFetch } from './plugin/safe-fetch.ts';
import type { PluginSource } from './plugin-source.ts';
import { codeInterpreter } from './python/code-interpreter.ts';
import type { Python } from './python/python.ts';
import { type ImageModels, textToImage } from './text-to-image.ts';
import type { ServerTool, Tool } from './tool.ts';
import type { ToolFactory } from './tool-factory.ts';
import { webSearch } from './web-search.ts';

/** The parts of a server that its tools use. */
export interface ToolParts {
  python: Python;
  images: ImageModels;
  /** Sends the requests of plugins. */
  safe: SafeFetch;
  /** The URL of a SearXNG instance; null: none is configured. */
  searchUrl: string | null;
}

const noSearch = 'No web search is configured. Set SEARCH_URL to the URL of a SearXNG instance.';
const noImages =
  'No image model is configured. Set IMAGE_MODEL, for example to openai/gpt-image-1-mini or alibaba/qwen-image.';

/** Makes the tools of runs from their settings. */
export class Tools implements ToolFactory {
  readonly #parts: ToolParts;

  constructor(parts: ToolParts) {
    this.#parts = parts;
  }

  unavailableReason(tool: Tool): string | null {
    const { images, searchUrl } = this.#parts;
    if (tool.type === 'web_search') return searchUrl === null ? noSearch : null;
    if (tool.type !== 'text_to_image') return null;
    const name = tool.model ?? images.defaultModel;
    return name === null ? noImages : images.unavailableReason(name);
  }

  make(tool: Tool, plugin: PluginSource | null): ServerTool[] {
    const { python, images, searchUrl } = this.#parts;
    switch (tool.type) {
      case 'code_interpreter':
        return [codeInterpreter(() => python.parts(), tool.timeoutSeconds)];
      case 'text_to_image':
        return this.unavailableReason(tool) === null ? [textToImage(images, tool)] : [];
      case 'file_search':
        return [fileSearch(tool.maxResults)];
      case 'web_search':
        return searchUrl === null ? [] : [webSearch(searchUrl, tool.maxResults)];
      case 'plugin':
        return plugin === null ? [] : this.#pluginTools(plugin, tool.operations);
      case 'function':
        return [];
    }
  }

  #pluginTools(plugin: PluginSource, selected: string[] | null): ServerTool[] {
    const make = plugin.kind === 'MCP' ? mcpTools : openApiTools;
    return make(plugin, selected, this.#parts.safe);
  }
}
