import { Prisma } from '../../db/generated/client.ts';
import type { DomainContext } from '../../domain/context.ts';
import { authKindOf } from '../../domain/tool/plugin.ts';
import type { PluginOperation as StoredOperation } from '../../tools/plugin-source.ts';
import { builder } from '../builder.ts';
import { contentOf, plainColumns, showing } from '../contents.ts';
import { requireField } from '../field-access.ts';

const PluginKind = builder.enumType('PluginKind', {
  description: 'The protocol by which the server calls a plugin.',
  values: {
    OPENAPI: { description: 'HTTP requests, as described by an OpenAPI 3.0 or 3.1 document.' },
    MCP: { description: 'Model Context Protocol, over streamable HTTP.' },
  } as const,
});

const PluginAuthKind = builder.enumType('PluginAuthKind', {
  description: 'How the calls of a plugin authenticate.',
  values: {
    BEARER: { value: 'bearer', description: 'A bearer token in the header `Authorization`.' },
    API_KEY: { value: 'api_key', description: 'An API key in a header or a query parameter.' },
    BASIC: { value: 'basic', description: 'A user name and a password (HTTP Basic).' },
    USER_TOKEN: {
      value: 'user_token',
      description: 'A token of the end user, which each run brings in `pluginTokens`.',
    },
  } as const,
});

const PluginOperation = builder.objectRef<StoredOperation>('PluginOperation').implement({
  description: 'An operation of a plugin, which a model can call.',
  fields: (t) => ({
    name: t.exposeString('name', {
      description:
        'The name by which the model calls the operation: at most 64 letters, digits, `_` or `-`, unique in the plugin.',
    }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What the operation does, from the document or the server. The model reads this.',
    }),
    parameters: t.expose('parameters', {
      type: 'JSON',
      description: 'Parameters of the operation: a JSON Schema of type `object`.',
    }),
  }),
});

const pluginColumns = plainColumns('Plugin', Prisma.PluginScalarFieldEnum);

/** An external API whose operations models can call. */
export const Plugin = builder.prismaNode('Plugin', {
  nullable: true,
  select: pluginColumns,
  description:
    'An external API whose operations models can call as tools: one with an OpenAPI document, or an MCP server.',
  id: { resolve: ({ id }) => id, description: 'Plugin id: `plugin_` and a UUIDv7 (TypeID).' },
  findUnique: (id, ctx) => {
    requireField(ctx, 'Query', 'plugin');
    return { workspaceId_id: { workspaceId: ctx.workspaceId, id } };
  },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name of the plugin.' }),
    description: t.exposeString('description', { nullable: true, description: 'What the plugin is for.' }),
    kind: t.expose('kind', { type: PluginKind, description: 'The protocol by which the server calls the plugin.' }),
    operations: t.field({
      type: [PluginOperation],
      description:
        'The operations that models can call: all that the plugin offers, or those selected at registration.',
      ...showing('Plugin', 'operations'),
      resolve: async (plugin, _args, ctx) =>
        (await contentOf(ctx, 'Plugin', plugin, 'operations')) as unknown as StoredOperation[],
    }),
    url: t.string({
      nullable: true,
      description:
        'Address of the OpenAPI document or the MCP server. Null for end users, or if the document itself was given.',
      select: { url: true },
      // An address can contain a secret.
      resolve: ({ url }, _args, { actor }) => (actor.kind === 'USER' ? null : url),
    }),
    auth: t.field({
      type: PluginAuthKind,
      nullable: true,
      description: 'How calls authenticate. Null: they do not. Secrets are never returned.',
      select: { sealedAuth: true },
      resolve: (plugin, _args, ctx) => authKindOf(ctx, plugin),
    }),
    refreshedAt: t.expose('refreshedAt', {
      type: 'DateTime',
      description: 'When the operations were last read from the document or the server.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the plugin was registered.' }),
  }),
});

/** The plugins with these ids, in their order; null where there is none. */
export async function pluginsById(
  ctx: DomainContext,
  ids: readonly string[],
): Promise<Array<typeof Plugin.$inferType | null>> {
  const plugins = await ctx.db.plugin.findMany({ where: { id: { in: [...ids] } }, select: pluginColumns });
  const byId = new Map(plugins.map((plugin) => [plugin.id, plugin]));
  return ids.map((id) => byId.get(id) ?? null);
}
