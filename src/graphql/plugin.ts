import { requireScope } from '../domain/access.ts';
import type { DomainContext } from '../domain/context.ts';
import { builder } from './builder.ts';

/** An operation that a plug-in offers. */
interface Operation {
  name: string;
  description: string | null;
  parameters: object;
}

const PluginKind = builder.enumType('PluginKind', {
  description: 'How a plug-in is called.',
  values: {
    OPENAPI: { description: 'Over HTTP, as an OpenAPI document says.' },
    MCP: { description: 'As a server of the Model Context Protocol.' },
  } as const,
});

const PluginOperation = builder.objectRef<Operation>('PluginOperation').implement({
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
      resolve: ({ operations }) => operations as unknown as Operation[],
    }),
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
