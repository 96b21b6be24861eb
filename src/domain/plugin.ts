import type { Plugin } from '../db/generated/client.ts';
import type { PluginAuth, PluginSource } from '../tools/tool.ts';
import type { DomainContext } from './context.ts';

const purpose = 'plugin auth';

const sourceOf = ({ vault }: DomainContext, plugin: Plugin): PluginSource => ({
  id: plugin.id,
  name: plugin.name,
  kind: plugin.kind,
  url: plugin.url,
  operations: plugin.operations as unknown[],
  auth: plugin.sealedAuth === null ? null : (JSON.parse(vault.open(purpose, plugin.sealedAuth)) as PluginAuth),
});

/** What calls of plug-ins are made with, by their ids; those that are gone are left out. */
export async function readPluginSources(
  ctx: DomainContext,
  ids: readonly string[],
): Promise<Map<string, PluginSource>> {
  if (ids.length === 0) return new Map();
  const plugins = await ctx.db.plugin.findMany({ where: { id: { in: [...ids] } } });
  return new Map(plugins.map((plugin) => [plugin.id, sourceOf(ctx, plugin)]));
}
