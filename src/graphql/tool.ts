import type { FunctionTool as StoredFunctionTool } from '../domain/tool.ts';
import { builder } from './builder.ts';
import { Plugin } from './plugin.ts';

const FunctionTool = builder.objectRef<StoredFunctionTool>('FunctionTool').implement({
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

const CodeInterpreterTool = builder.objectRef<{ timeoutSeconds: number }>('CodeInterpreterTool').implement({
  description: 'Python that the model writes and the server runs in a sandbox.',
  fields: (t) => ({ timeoutSeconds: t.exposeInt('timeoutSeconds', { description: 'How long one call may take.' }) }),
});

const TextToImageTool = builder.objectRef<{ model: string | null; size: string | null }>('TextToImageTool').implement({
  description: 'Pictures drawn from a description.',
  fields: (t) => ({
    model: t.exposeString('model', { nullable: true, description: 'The image model; null: the server chooses.' }),
    size: t.exposeString('size', {
      nullable: true,
      description: 'Width x height, such as 1024x1024; null: the model chooses.',
    }),
  }),
});

const PluginTool = builder
  .objectRef<{ plugin: typeof Plugin.$inferType; operations: string[] | null }>('PluginTool')
  .implement({
    description: 'The operations of a plug-in.',
    fields: (t) => ({
      plugin: t.field({ type: Plugin, description: 'The plug-in.', resolve: ({ plugin }) => plugin }),
      operations: t.exposeStringList('operations', {
        nullable: true,
        description: 'Only these operations; null: all.',
      }),
    }),
  });

const FileSearchTool = builder.objectRef<{ maxResults: number }>('FileSearchTool').implement({
  description: 'Search in the files of the assistant and the thread.',
  fields: (t) => ({
    maxResults: t.exposeInt('maxResults', { description: 'How many passages one call gives the model.' }),
  }),
});

const WebSearchTool = builder.objectRef<{ maxResults: number }>('WebSearchTool').implement({
  description: 'Search in the web.',
  fields: (t) => ({
    maxResults: t.exposeInt('maxResults', { description: 'How many results one call gives the model.' }),
  }),
});

/** What a model can call. */
export const Tool = builder.unionType('Tool', {
  description: 'Something that a model can call.',
  types: [CodeInterpreterTool, FunctionTool, TextToImageTool, PluginTool, FileSearchTool, WebSearchTool],
  resolveType: (tool) => ((tool as StoredFunctionTool).type === 'function' ? FunctionTool : null),
});

const CodeInterpreterToolInput = builder.inputType('CodeInterpreterToolInput', {
  description: 'Python that the model writes and the server runs in a sandbox.',
  fields: (t) => ({ timeoutSeconds: t.int({ defaultValue: 30, description: 'How long one call may take.' }) }),
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
    maxResults: t.int({ defaultValue: 10, description: 'How many passages one call gives the model.' }),
  }),
});

const WebSearchToolInput = builder.inputType('WebSearchToolInput', {
  description: 'Search in the web.',
  fields: (t) => ({
    maxResults: t.int({ defaultValue: 5, description: 'How many results one call gives the model.' }),
  }),
});

const later = 'This server refuses it: the tool is not built in.';

/** A tool of an input. */
export const ToolInput = builder.inputType('ToolInput', {
  description: 'One tool: exactly one of the fields.',
  isOneOf: true,
  fields: (t) => ({
    codeInterpreter: t.field({ type: CodeInterpreterToolInput, description: `Python in a sandbox. ${later}` }),
    function: t.field({ type: FunctionToolInput, description: 'A function that the client runs.' }),
    textToImage: t.field({ type: TextToImageToolInput, description: `Drawing. ${later}` }),
    plugin: t.field({ type: PluginToolInput, description: `A plug-in. ${later}` }),
    fileSearch: t.field({ type: FileSearchToolInput, description: `Search in files. ${later}` }),
    webSearch: t.field({ type: WebSearchToolInput, description: `Search in the web. ${later}` }),
  }),
});
