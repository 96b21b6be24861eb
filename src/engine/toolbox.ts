import type { LanguageModelV4FunctionTool } from '@ai-sdk/provider';
import type { Run, ToolKind } from '../db/generated/client.ts';
import type { DomainContext } from '../domain/context.ts';
import { readPluginSources } from '../domain/tool/plugin.ts';
import { storedTools } from '../domain/tool/tool-input.ts';
import type { FunctionTool, ServerTool } from '../tools/tool.ts';

/** How the row of a call refers to its tool. */
export interface ToolReference {
  kind: ToolKind;
  pluginId: string | null;
  operation: string | null;
}

/** The tools that the model of a run can call. */
export class Toolbox {
  readonly #client = new Map<string, FunctionTool>();
  readonly #server = new Map<string, ServerTool>();

  /** Tools of plugins can share a name: each but the first gets a number appended. */
  constructor(client: readonly FunctionTool[], server: readonly ServerTool[]) {
    for (const tool of client) this.#client.set(tool.name, tool);
    for (const tool of server) this.#server.set(this.#freeName(tool.name), tool);
  }

  /** The server tool of a name; null: there is none. */
  serverTool(name: string): ServerTool | null {
    return this.#server.get(name) ?? null;
  }

  /** The schema of a tool's arguments; null: there is no such tool. */
  parametersOf(name: string): Record<string, unknown> | null {
    return (this.#client.get(name) ?? this.#server.get(name))?.parameters ?? null;
  }

  /** How the row of a call refers to the tool of a name. A name that is no server tool counts as a function of the client. */
  reference(name: string): ToolReference {
    const { kind = 'FUNCTION', operation } = this.#server.get(name) ?? {};
    return { kind, pluginId: operation?.pluginId ?? null, operation: operation?.name ?? null };
  }

  /** The tools in the form that providers accept. */
  get forModel(): LanguageModelV4FunctionTool[] {
    return [
      ...[...this.#client.values()].map(({ name, description, parameters, strict }) => ({
        ...{ type: 'function' as const, name, description: description ?? undefined, inputSchema: parameters, strict },
      })),
      ...[...this.#server].map(([name, { description, parameters }]) => ({
        ...{ type: 'function' as const, name, description, inputSchema: parameters },
      })),
    ];
  }

  #freeName(name: string): string {
    const isTaken = (candidate: string) => this.#client.has(candidate) || this.#server.has(candidate);
    let free = name;
    for (let number = 2; isTaken(free); number += 1) free = `${name.slice(0, 60)}_${number}`;
    return free;
  }
}

/** Opens the tools of a run. Plugins that have been deleted since the run was created are missing. */
export async function openToolbox(ctx: DomainContext, run: Run): Promise<Toolbox> {
  const tools = storedTools(run.tools);
  const plugins = await readPluginSources(
    ctx,
    tools.flatMap((tool) => (tool.type === 'plugin' ? [tool.pluginId] : [])),
  );
  return new Toolbox(
    tools.filter((tool) => tool.type === 'function'),
    tools.flatMap((tool) => ctx.tools.make(tool, tool.type === 'plugin' ? (plugins.get(tool.pluginId) ?? null) : null)),
  );
}
