import { storedTools } from '../../domain/tool/tool-input.ts';
import type { Tool as StoredTool } from '../../tools/tool.ts';
import { builder } from '../builder.ts';
import type { GraphContext } from '../context.ts';
import { Plugin, pluginsById } from './plugin.ts';

type Stored<Type extends StoredTool['type']> = Extract<StoredTool, { type: Type }>;
/** A tool whose plug-in, if it is one, is there. */
type Shown = StoredTool & { plugin?: typeof Plugin.$inferType };

const FunctionTool = builder.objectRef<Stored<'function'>>('FunctionTool').implement({
  description: 'A function that the client runs: a run waits in REQUIRES_ACTION for its output.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name that the model calls it by.' }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What it does and when to call it, for the model.',
    }),
    parameters: t.expose('parameters', { type: 'JSON', description: 'Its parameters, as a JSON Schema of an object.' }),
    strict: t.exposeBoolean('strict', { description: 'Whether the model is held to the schema.' }),
  }),
});

const CodeInterpreterTool = builder.objectRef<Stored<'code_interpreter'>>('CodeInterpreterTool').implement({
  description: 'Python that the model writes and the server runs in a sandbox.',
  fields: (t) => ({ timeoutSeconds: t.exposeInt('timeoutSeconds', { description: 'How long one call may take.' }) }),
});

const TextToImageTool = builder.objectRef<Stored<'text_to_image'>>('TextToImageTool').implement({
  description: 'Pictures drawn from a description.',
  fields: (t) => ({
    model: t.exposeString('model', { nullable: true, description: 'The image model; null: the server chooses.' }),
    size: t.exposeString('size', {
      nullable: true,
      description: 'Width x height, such as 1024x1024; null: the model chooses.',
    }),
  }),
});

const PluginTool = builder.objectRef<Stored<'plugin'> & { plugin: typeof Plugin.$inferType }>('PluginTool').implement({
  description: 'The operations of a plug-in.',
  fields: (t) => ({
    plugin: t.field({ type: Plugin, description: 'The plug-in.', resolve: ({ plugin }) => plugin }),
    operations: t.exposeStringList('operations', {
      nullable: true,
      description: 'Only these operations; null: all.',
    }),
  }),
});

const FileSearchTool = builder.objectRef<Stored<'file_search'>>('FileSearchTool').implement({
  description: 'Search in the files of the assistant and the thread.',
  fields: (t) => ({
    maxResults: t.exposeInt('maxResults', { description: 'How many passages one call gives the model.' }),
  }),
});

const WebSearchTool = builder.objectRef<Stored<'web_search'>>('WebSearchTool').implement({
  description: 'Search in the web.',
  fields: (t) => ({
    maxResults: t.exposeInt('maxResults', { description: 'How many results one call gives the model.' }),
  }),
});

/** What a model can call. */
export const Tool = builder.unionType('Tool', {
  description: 'Something that a model can call.',
  types: [CodeInterpreterTool, FunctionTool, TextToImageTool, PluginTool, FileSearchTool, WebSearchTool],
  resolveType: (tool) => byType[(tool as StoredTool).type],
});

const byType = {
  code_interpreter: CodeInterpreterTool,
  function: FunctionTool,
  text_to_image: TextToImageTool,
  plugin: PluginTool,
  file_search: FileSearchTool,
  web_search: WebSearchTool,
};

/** The tools of a row as they are shown: those of plug-ins that have been deleted are left out. */
export async function shownTools(ctx: GraphContext, json: unknown): Promise<Shown[]> {
  const tools = await Promise.all(
    storedTools(json).map(async (tool): Promise<Shown | null> => {
      if (tool.type !== 'plugin') return tool;
      const plugin = await ctx.load(pluginsById, tool.pluginId);
      return plugin && { ...tool, plugin };
    }),
  );
  return tools.filter((tool) => tool !== null);
}

const CodeInterpreterToolInput = builder.inputType('CodeInterpreterToolInput', {
  description: 'Python that the model writes and the server runs in a sandbox.',
  fields: (t) => ({
    timeoutSeconds: t.int({ defaultValue: 30, description: 'How long one call may take: 1 to 300 s.' }),
  }),
});

const FunctionToolInput = builder.inputType('FunctionToolInput', {
  description: 'A function that the client runs.',
  fields: (t) => ({
    name: t.string({ required: true, description: '1 to 64 letters, digits, _ or -.' }),
    description: t.string({ description: 'What it does and when to call it, for the model: up to 1024 characters.' }),
    parameters: t.field({ type: 'JSON', description: 'A JSON Schema of an object; absent: no parameters.' }),
    strict: t.boolean({ defaultValue: false, description: 'Whether the model is held to the schema.' }),
  }),
});

const TextToImageToolInput = builder.inputType('TextToImageToolInput', {
  description: 'Pictures drawn from a description.',
  fields: (t) => ({
    model: t.string({ description: 'The image model; absent: the server chooses.' }),
    size: t.string({ description: 'Width x height, such as 1024x1024; absent: the model chooses.' }),
  }),
});

const PluginToolInput = builder.inputType('PluginToolInput', {
  description: 'The operations of a plug-in.',
  fields: (t) => ({
    pluginId: t.id({ required: true, description: 'The plug-in.' }),
    operations: t.stringList({ description: 'Only these operations; absent: all.' }),
  }),
});

const FileSearchToolInput = builder.inputType('FileSearchToolInput', {
  description: 'Search in the files of the assistant and the thread.',
  fields: (t) => ({
    maxResults: t.int({ defaultValue: 10, description: 'How many passages one call gives the model: 1 to 50.' }),
  }),
});

const WebSearchToolInput = builder.inputType('WebSearchToolInput', {
  description: 'Search in the web.',
  fields: (t) => ({
    maxResults: t.int({ defaultValue: 5, description: 'How many results one call gives the model: 1 to 50.' }),
  }),
});

/** A tool of an input. */
export const ToolInput = builder.inputType('ToolInput', {
  description: 'One tool: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    codeInterpreter: t.field({ type: CodeInterpreterToolInput, description: 'Python in a sandbox.' }),
    function: t.field({ type: FunctionToolInput, description: 'A function that the client runs.' }),
    textToImage: t.field({
      type: TextToImageToolInput,
      description: 'Drawing: refused where no image model is configured.',
    }),
    plugin: t.field({ type: PluginToolInput, description: 'The operations of a plug-in.' }),
    fileSearch: t.field({ type: FileSearchToolInput, description: 'Search in files.' }),
    webSearch: t.field({
      type: WebSearchToolInput,
      description: 'Search in the web: refused where none is configured.',
    }),
  }),
});
