import { builder } from './builder.ts';

/** An operation that a plug-in offers. */
interface Operation {
  name: string;
  description: string | null;
  parameters: object;
}

/** A registered plug-in, as the graph shows it. */
interface RegisteredPlugin {
  id: string;
  name: string;
  description: string | null;
  kind: 'OPENAPI' | 'MCP';
  operations: Operation[];
  createdAt: Date;
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

/** A plug-in. Nothing registers one yet; the type keeps the place of PluginTool in the graph. */
export const Plugin = builder.objectRef<RegisteredPlugin>('Plugin');
builder.node(Plugin, {
  description: 'A business interface whose operations models can call.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  loadOne: () => null,
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    kind: t.expose('kind', { type: PluginKind, description: 'How it is called.' }),
    operations: t.field({
      type: [PluginOperation],
      description: 'What it offers.',
      resolve: ({ operations }) => operations,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was registered.' }),
  }),
});
