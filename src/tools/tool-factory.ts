import type { PluginSource } from './plugin-source.ts';
import type { ServerTool, Tool } from './tool.ts';

/** Makes the tools of runs from their settings, with what this server has configured. */
export interface ToolFactory {
  /** Why this server cannot run a tool, with the setting to change; null: it can. */
  unavailableReason(tool: Tool): string | null;
  /**
   * The server tools of a setting: none for a function, which the client runs; several for a plugin. `plugin` is null if the
   * setting is not a plugin, or the plugin has been deleted.
   */
  make(tool: Tool, plugin: PluginSource | null): ServerTool[];
}
