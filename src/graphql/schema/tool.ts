import { storedTools } from '../../domain/tool/tool-input.ts';
import type { Tool as StoredTool } from '../../tools/tool.ts';
import { builder } from '../builder.ts';
import type { GraphContext } from '../context.ts';
import { Plugin, pluginsById } from './plugin.ts';

type Stored<Type extends StoredTool['type']> = Extract<StoredTool, { type: Type }>;
/** A tool with its plugin loaded, if it has one. */
type ShownTool = StoredTool & { plugin?: typeof Plugin.$inferType };

const FunctionTool = builder.objectRef<Stored<'function'>>('FunctionTool').implement({
  description:
    'A function that the client runs. When the model calls it, the run waits in REQUIRES_ACTION for submitToolOutputs.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name by which the model calls the function.' }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What the function does and when to call it. The model reads this.',
    }),
    parameters: t.expose('parameters', {
      type: 'JSON',
      description: 'Parameters of the function: a JSON Schema of type `object`.',
    }),
    strict: t.exposeBoolean('strict', { description: 'Whether the provider enforces the schema on the arguments.' }),
  }),
});

const CodeInterpreterTool = builder.objectRef<Stored<'code_interpreter'>>('CodeInterpreterTool').implement({
  description:
    'A sandboxed Python interpreter: the model writes programs, the server runs them. Files in /mnt/data persist for the thread, variables until the interpreter has been idle for PYTHON_IDLE_SECONDS.',
  fields: (t) => ({
    timeoutSeconds: t.exposeInt('timeoutSeconds', { description: 'Time limit of one call, in seconds.' }),
  }),
});

const TextToImageTool = builder.objectRef<Stored<'text_to_image'>>('TextToImageTool').implement({
  description:
    'Image generation: the model describes an image, and an image model draws it. A call draws 1 to 4 images, within 180 s.',
  fields: (t) => ({
    model: t.exposeString('model', {
      nullable: true,
      description: "The image model, as `provider/model`. Null: the server's default.",
    }),
    size: t.exposeString('size', {
      nullable: true,
      description: 'Width x height in pixels, such as `1024x1024`. Null: the default of the image model.',
    }),
  }),
});

const PluginTool = builder.objectRef<Stored<'plugin'> & { plugin: typeof Plugin.$inferType }>('PluginTool').implement({
  description: 'The operations of a registered plugin. A tool whose plugin has been deleted is not listed.',
  fields: (t) => ({
    plugin: t.field({ type: Plugin, description: 'The plugin.', resolve: ({ plugin }) => plugin }),
    operations: t.exposeStringList('operations', {
      nullable: true,
      description: 'Names of the operations that the model can call. Null: all operations of the plugin.',
    }),
  }),
});

const FileSearchTool = builder.objectRef<Stored<'file_search'>>('FileSearchTool').implement({
  description:
    'Search in the files of the assistant, the thread and its messages. The model receives passages of about 1,000 characters and cites them.',
  fields: (t) => ({
    maxResults: t.exposeInt('maxResults', {
      description: 'Maximum number of passages that one call returns to the model.',
    }),
  }),
});

const WebSearchTool = builder.objectRef<Stored<'web_search'>>('WebSearchTool').implement({
  description: 'Web search through the SearXNG instance that the server is configured with.',
  fields: (t) => ({
    maxResults: t.exposeInt('maxResults', {
      description: 'Maximum number of results that one call returns to the model.',
    }),
  }),
});

/** A tool of an assistant or a run. */
export const Tool = builder.unionType('Tool', {
  description:
    'A tool that a model can call. The server runs all tools itself, except functions, which the client runs.',
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

/** The tools of an assistant or run row, with their plugins. Tools of deleted plugins are left out. */
export async function shownTools(ctx: GraphContext, json: unknown): Promise<ShownTool[]> {
  const tools = await Promise.all(
    storedTools(json).map(async (tool): Promise<ShownTool | null> => {
      if (tool.type !== 'plugin') return tool;
      const plugin = await ctx.load(pluginsById, tool.pluginId);
      return plugin && { ...tool, plugin };
    }),
  );
  return tools.filter((tool) => tool !== null);
}

const CodeInterpreterToolInput = builder.inputType('CodeInterpreterToolInput', {
  description:
    'A sandboxed Python interpreter: the model writes programs, the server runs them. Files in /mnt/data persist for the thread, variables until the interpreter has been idle for PYTHON_IDLE_SECONDS.',
  fields: (t) => ({
    timeoutSeconds: t.int({
      defaultValue: 30,
      description: 'Time limit of one call, in seconds: 1 to 300, default 30.',
    }),
  }),
});

const FunctionToolInput = builder.inputType('FunctionToolInput', {
  description:
    'A function that the client runs. When the model calls it, the run waits in REQUIRES_ACTION for submitToolOutputs.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description:
        'The name by which the model calls the function: 1 to 64 letters, digits, `_` or `-`. Unique among the tools.',
    }),
    description: t.string({
      description: 'What the function does and when to call it. The model reads this. At most 1,024 characters.',
    }),
    parameters: t.field({
      type: 'JSON',
      description:
        'Parameters of the function: a JSON Schema of type `object` (draft-07, or 2020-12 if `$schema` names it), at most 64,000 characters. Omit for a function without parameters.',
    }),
    strict: t.boolean({
      defaultValue: false,
      description: 'Whether the provider enforces the schema on the arguments. Default false.',
    }),
  }),
});

const TextToImageToolInput = builder.inputType('TextToImageToolInput', {
  description:
    'Image generation: the model describes an image, and an image model draws it. A call draws 1 to 4 images, within 180 s.',
  fields: (t) => ({
    model: t.string({
      description: "The image model, as `provider/model`: at most 200 characters. Omit for the server's default.",
    }),
    size: t.string({
      description: 'Width x height in pixels, such as `1024x1024`. Omit for the default of the image model.',
    }),
  }),
});

const PluginToolInput = builder.inputType('PluginToolInput', {
  description: 'The operations of a registered plugin.',
  fields: (t) => ({
    pluginId: t.id({ required: true, description: 'The id of the plugin. A plugin can be listed once.' }),
    operations: t.stringList({
      description: 'Names of the operations that the model can call: 1 to 128. Omit for all.',
    }),
  }),
});

const FileSearchToolInput = builder.inputType('FileSearchToolInput', {
  description:
    'Search in the files of the assistant, the thread and its messages. The model receives passages of about 1,000 characters and cites them.',
  fields: (t) => ({
    maxResults: t.int({
      defaultValue: 10,
      description: 'Maximum number of passages that one call returns to the model: 1 to 50, default 10.',
    }),
  }),
});

const WebSearchToolInput = builder.inputType('WebSearchToolInput', {
  description: 'Web search through the SearXNG instance that the server is configured with.',
  fields: (t) => ({
    maxResults: t.int({
      defaultValue: 5,
      description: 'Maximum number of results that one call returns to the model: 1 to 50, default 5.',
    }),
  }),
});

/** A tool in an input. */
export const ToolInput = builder.inputType('ToolInput', {
  description:
    'A tool to give to an assistant or a run: exactly one of the fields. A list has at most 128 tools. A tool that the server is not configured for is refused with InvalidInputError, which names the setting.',
  isOneOf: true,
  fields: (t) => ({
    codeInterpreter: t.field({ type: CodeInterpreterToolInput, description: 'A sandboxed Python interpreter.' }),
    function: t.field({ type: FunctionToolInput, description: 'A function that the client runs.' }),
    textToImage: t.field({
      type: TextToImageToolInput,
      description: 'Image generation. Requires an image model: IMAGE_MODEL, or a provider that has one.',
    }),
    plugin: t.field({ type: PluginToolInput, description: 'The operations of a registered plugin.' }),
    fileSearch: t.field({
      type: FileSearchToolInput,
      description: 'Search in the files of the assistant, the thread and its messages.',
    }),
    webSearch: t.field({
      type: WebSearchToolInput,
      description: 'Web search. Requires SEARCH_URL, the address of a SearXNG instance.',
    }),
  }),
});
