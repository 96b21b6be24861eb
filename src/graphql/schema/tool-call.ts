import type { File as FileRow, ToolCall as Row, ToolKind } from '../../db/generated/client.ts';
import { filesOfCalls, type StoredSearchResult, searchResultsOfCalls } from '../../domain/file/call-results.ts';
import { builder } from '../builder.ts';
import type { GraphContext } from '../context.ts';
import { growingTexts } from '../text-loader.ts';
import { File, filesById } from './file.ts';
import { Plugin, pluginsById } from './plugin.ts';
import { errorOf, RunError } from './run-status.ts';
import { StepStatus } from './step-status.ts';

const typeNames = {
  FUNCTION: 'FunctionToolCall',
  CODE_INTERPRETER: 'CodeInterpreterToolCall',
  TEXT_TO_IMAGE: 'TextToImageToolCall',
  PLUGIN: 'PluginToolCall',
  FILE_SEARCH: 'FileSearchToolCall',
  WEB_SEARCH: 'WebSearchToolCall',
} as const satisfies Record<ToolKind, string>;

/** A text of a call: while it grows, as far as it has come. */
async function textOf(call: Row, channel: 'ARGUMENTS' | 'OUTPUT', ctx: GraphContext): Promise<string> {
  const stored = channel === 'ARGUMENTS' ? call.arguments : (call.output ?? '');
  const isGrowing = call.status === 'IN_PROGRESS' && stored === '';
  return isGrowing ? ctx.load(growingTexts, { ownerId: call.id, channel }) : stored;
}

/** A call's argument of that name, as far as it has come; empty where there is none. */
async function argumentOf(call: Row, name: string, ctx: GraphContext): Promise<string> {
  const text = await textOf(call, 'ARGUMENTS', ctx);
  const whole = parsed(text) as Record<string, unknown> | null;
  if (whole !== null) return typeof whole[name] === 'string' ? whole[name] : '';
  // It is still being written: what is there of the text, up to its last whole character.
  const begun = new RegExp(`"${name}"\\s*:\\s*"((?:[^"\\\\]|\\\\(?:[^u]|u[0-9a-fA-F]{4}))*)`).exec(text)?.[1] ?? '';
  return String(parsed(`"${begun}"`) ?? '');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function filesOf(call: Row, ctx: GraphContext): Promise<FileRow[]> {
  return ctx.load(filesOfCalls, call.id);
}

/** A call that a model made, whatever the tool. */
export const ToolCall = builder.interfaceRef<Row>('ToolCall').implement({
  description: 'A call that a model made.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'The id.' }),
    index: t.exposeInt('index', { description: '0, 1, 2 … within the step.' }),
    status: t.expose('status', { type: StepStatus, description: 'Where it stands.' }),
    error: t.field({
      type: RunError,
      nullable: true,
      description: 'What went wrong; null: nothing.',
      resolve: errorOf,
    }),
  }),
  resolveType: ({ kind }) => typeNames[kind],
});

/** A call of a function that the client runs. */
export const FunctionToolCall = builder.objectRef<Row>('FunctionToolCall').implement({
  description: 'A call of a function that the client runs.',
  interfaces: [ToolCall],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The function.' }),
    arguments: t.string({
      description: 'The arguments: JSON, as the model wrote it; while it writes, as far as it has come.',
      resolve: (call, _args, ctx) => textOf(call, 'ARGUMENTS', ctx),
    }),
    output: t.exposeString('output', { nullable: true, description: 'What the client answered; null: nothing yet.' }),
  }),
});

builder.objectRef<Row>('CodeInterpreterToolCall').implement({
  description: 'Python that the server ran in a sandbox.',
  interfaces: [ToolCall],
  fields: (t) => ({
    code: t.string({
      description: 'The program; while the model writes it, as far as it has come.',
      resolve: (call, _args, ctx) => argumentOf(call, 'code', ctx),
    }),
    logs: t.string({
      description:
        'What it printed, with its last value, what went wrong, and the names of the files that it wrote; while it runs, so far.',
      resolve: (call, _args, ctx) => textOf(call, 'OUTPUT', ctx),
    }),
    files: t.field({
      type: [File],
      description: 'What it wrote to /mnt/data.',
      resolve: (call, _args, ctx) => filesOf(call, ctx),
    }),
  }),
});

builder.objectRef<Row>('TextToImageToolCall').implement({
  description: 'Pictures that were drawn.',
  interfaces: [ToolCall],
  fields: (t) => ({
    prompt: t.string({
      description: 'What was asked for.',
      resolve: (call, _args, ctx) => argumentOf(call, 'prompt', ctx),
    }),
    images: t.field({ type: [File], description: 'The pictures.', resolve: (call, _args, ctx) => filesOf(call, ctx) }),
  }),
});

builder.objectRef<Row>('PluginToolCall').implement({
  description: 'An operation of a plug-in that was called.',
  interfaces: [ToolCall],
  fields: (t) => ({
    plugin: t.field({
      type: Plugin,
      nullable: true,
      description: 'The plug-in; null: it has been deleted.',
      resolve: ({ pluginId }, _args, ctx) => (pluginId === null ? null : ctx.load(pluginsById, pluginId)),
    }),
    operation: t.string({ description: 'The operation.', resolve: ({ operation, name }) => operation ?? name }),
    arguments: t.string({
      description: 'The arguments: JSON, as the model wrote it; while it writes, as far as it has come.',
      resolve: (call, _args, ctx) => textOf(call, 'ARGUMENTS', ctx),
    }),
    output: t.string({
      nullable: true,
      description: 'What it answered, as the model is told it; null: nothing yet.',
      resolve: async (call, _args, ctx) => (await textOf(call, 'OUTPUT', ctx)) || call.output,
    }),
    httpStatus: t.exposeInt('httpStatus', {
      nullable: true,
      description: 'The HTTP status of the answer; null: there was none.',
    }),
  }),
});

const FileSearchResult = builder
  .objectRef<StoredSearchResult & { file: typeof File.$inferType }>('FileSearchResult')
  .implement({
    description: 'A passage that was found.',
    fields: (t) => ({
      file: t.field({ type: File, description: 'The file it stands in.', resolve: ({ file }) => file }),
      text: t.exposeString('text', { description: 'The passage.' }),
      page: t.exposeInt('page', { nullable: true, description: 'The page it begins on; null: the file has none.' }),
      score: t.exposeFloat('score', { description: 'How well it fits: 0 to 1.' }),
    }),
  });

builder.objectRef<Row>('FileSearchToolCall').implement({
  description: 'A search in files.',
  interfaces: [ToolCall],
  fields: (t) => ({
    query: t.string({
      description: 'What was looked for.',
      resolve: (call, _args, ctx) => argumentOf(call, 'query', ctx),
    }),
    results: t.field({
      type: [FileSearchResult],
      description: 'What was found, the best first; passages of files that have been deleted are gone.',
      resolve: async ({ id }, _args, ctx) => {
        const results = await ctx.load(searchResultsOfCalls, id);
        const files = await Promise.all(results.map(({ fileId }) => ctx.load(filesById, fileId)));
        return results.flatMap((result, index) => {
          const file = files[index];
          return file ? [{ ...result, file }] : [];
        });
      },
    }),
  }),
});

builder.objectRef<Row>('WebSearchToolCall').implement({
  description: 'A search in the web.',
  interfaces: [ToolCall],
  fields: (t) => ({
    query: t.string({
      description: 'What was looked for.',
      resolve: (call, _args, ctx) => argumentOf(call, 'query', ctx),
    }),
    output: t.exposeString('output', { nullable: true, description: 'What was found; null: nothing yet.' }),
  }),
});
