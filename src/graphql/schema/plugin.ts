import { requireScope } from '../../domain/access/access.ts';
import type { DomainContext } from '../../domain/context.ts';
import { authKindOf } from '../../domain/tool/plugin.ts';
import type { PluginOperation as StoredOperation } from '../../tools/plugin.ts';
import { builder } from '../builder.ts';

const PluginKind = builder.enumType('PluginKind', {
  description: 'How a plug-in is called.',
  values: {
    OPENAPI: { description: 'Over HTTP, as an OpenAPI document says.' },
    MCP: { description: 'As a server of the Model Context Protocol.' },
  } as const,
});

const PluginAuthKind = builder.enumType('PluginAuthKind', {
  description: 'How the calls of a plug-in show who they are.',
  values: {
    BEARER: { value: 'bearer', description: 'By a bearer token.' },
    API_KEY: { value: 'api_key', description: 'By an API key.' },
    BASIC: { value: 'basic', description: 'By a name and a password.' },
    USER_TOKEN: { value: 'user_token', description: 'By a token that each run brings.' },
  } as const,
});

const PluginOperation = builder.objectRef<StoredOperation>('PluginOperation').implement({
  description: 'An operation of a plug-in, which a model can call.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name that the model calls it by.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it does.' }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Its parameters, as a JSON Schema.' }),
  }),
});

/** A business interface whose operations models can call. */
export const Plugin = builder.prismaNode('Plugin', {
  nullable: true,
  description: 'A business interface whose operations models can call.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'ASSISTANTS_READ');
    return { workspaceId_id: { workspaceId: ctx.workspaceId, id } };
  },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    kind: t.expose('kind', { type: PluginKind, description: 'How it is called.' }),
    operations: t.field({
      type: [PluginOperation],
      description: 'What it offers, as far as it is not narrowed.',
      select: { operations: true },
      resolve: ({ operations }) => operations as unknown as StoredOperation[],
    }),
    url: t.string({
      nullable: true,
      description: 'Where its document or its server is, for keys; null: the document was given itself.',
      select: { url: true },
      // An address may have a key in it.
      resolve: ({ url }, _args, { actor }) => (actor.kind === 'USER' ? null : url),
    }),
    auth: t.field({
      type: PluginAuthKind,
      nullable: true,
      description: 'How its calls show who they are; null: they do not. Secrets are never shown.',
      select: { sealedAuth: true },
      resolve: (plugin, _args, ctx) => authKindOf(ctx, plugin),
    }),
    refreshedAt: t.expose('refreshedAt', { type: 'DateTime', description: 'When it was last read what it offers.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was registered.' }),
  }),
});

/** The plug-ins of some ids, null where there is none. */
export async function pluginsById(
  ctx: DomainContext,
  ids: readonly string[],
): Promise<Array<typeof Plugin.$inferType | null>> {
  const plugins = await ctx.db.plugin.findMany({ where: { id: { in: [...ids] } } });
  const byId = new Map(plugins.map((plugin) => [plugin.id, plugin]));
  return ids.map((id) => byId.get(id) ?? null);
}
