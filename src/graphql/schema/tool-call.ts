import { type File as FileRow, Prisma, type ToolCall as StoredCall, type ToolKind } from '../../db/generated/client.ts';
import type { ContentColumn, Contents } from '../../domain/contents.ts';
import { filesOfCalls, type StoredSearchResult, searchResultsOfCalls } from '../../domain/file/call-results.ts';
import { builder } from '../builder.ts';
import { contentOf, plainColumns } from '../contents.ts';
import type { GraphContext } from '../context.ts';
import { growingText } from '../text-loader.ts';
import { File, filesById } from './file.ts';
import { Plugin, pluginsById } from './plugin.ts';
import { errorOf, RunError } from './run-error.ts';
import { StepStatus } from './step-status.ts';

const typeNames = {
  FUNCTION: 'FunctionToolCall',
  CODE_INTERPRETER: 'CodeInterpreterToolCall',
  TEXT_TO_IMAGE: 'TextToImageToolCall',
  PLUGIN: 'PluginToolCall',
  FILE_SEARCH: 'FileSearchToolCall',
  WEB_SEARCH: 'WebSearchToolCall',
} as const satisfies Record<ToolKind, string>;

/** The columns of a call that lists read; its arguments and output are read when they are shown. */
export const callColumns = plainColumns('ToolCall', Prisma.ToolCallScalarFieldEnum);

type Row = Omit<StoredCall, ContentColumn<'ToolCall'>> & Partial<Contents<'ToolCall'>>;

/** The arguments or the output of a call; while the text grows, what is there so far. */
async function textOf(call: Row, channel: 'ARGUMENTS' | 'OUTPUT', ctx: GraphContext): Promise<string> {
  const column = channel === 'ARGUMENTS' ? 'arguments' : 'output';
  const stored = (await contentOf(ctx, 'ToolCall', call, column)) ?? '';
  const isGrowing = call.status === 'IN_PROGRESS' && stored === '';
  return isGrowing ? growingText(ctx, { ownerId: call.id, channel }) : stored;
}

/** The output of a call that has ended. */
const outputOf = (call: Row, _args: unknown, ctx: GraphContext) => contentOf(ctx, 'ToolCall', call, 'output');

/** A string argument of a call; while the arguments grow, what is there of it so far. Empty if there is none. */
async function argumentOf(call: Row, name: string, ctx: GraphContext): Promise<string> {
  const text = await textOf(call, 'ARGUMENTS', ctx);
  const complete = parsed(text) as Record<string, unknown> | null;
  if (complete !== null) return typeof complete[name] === 'string' ? complete[name] : '';
  // The JSON is incomplete: read the string up to its last complete character or escape sequence.
  const partial = new RegExp(`"${name}"\\s*:\\s*"((?:[^"\\\\]|\\\\(?:[^u]|u[0-9a-fA-F]{4}))*)`).exec(text)?.[1] ?? '';
  return String(parsed(`"${partial}"`) ?? '');
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

/** A tool call of any kind. */
export const ToolCall = builder.interfaceRef<Row>('ToolCall').implement({
  description: 'A call of a tool that a model made. The implementing type has the details for its kind of tool.',
  fields: (t) => ({
    id: t.exposeID('id', {
      description: 'Tool call id: `call_` and a UUIDv7 (TypeID). Not a node: it cannot be queried by id.',
    }),
    index: t.exposeInt('index', { description: 'Position of the call in its step: 0, 1, 2 …' }),
    status: t.expose('status', { type: StepStatus, description: 'Whether the call is in progress, or how it ended.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When the server started the call. Null: it has not started, or the client makes the call (FunctionToolCall).',
    }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the call ended. Null while it is in progress.',
    }),
    durationMs: t.int({
      nullable: true,
      description: 'The time from `startedAt` to `endedAt`, in milliseconds. Null: one of them is missing.',
      resolve: ({ startedAt, endedAt }) => (startedAt && endedAt ? endedAt.getTime() - startedAt.getTime() : null),
    }),
    error: t.field({
      type: RunError,
      nullable: true,
      description: 'Why the call failed; the model receives it with the output. Null unless the status is FAILED.',
      resolve: errorOf,
    }),
  }),
  resolveType: ({ kind }) => typeNames[kind],
});

/** A call of a function that the client runs. */
export const FunctionToolCall = builder.objectRef<Row>('FunctionToolCall').implement({
  description: 'A call of a function that the client runs. Its output comes from submitToolOutputs.',
  interfaces: [ToolCall],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name of the function.' }),
    arguments: t.string({
      description:
        "The arguments: JSON text as the model wrote it. While the model writes: the text so far. Empty once the run has ended if the workspace's `recordSteps` is not FULL.",
      resolve: (call, _args, ctx) => textOf(call, 'ARGUMENTS', ctx),
    }),
    output: t.string({
      nullable: true,
      resolve: outputOf,
      description: 'The output that the client submitted, or why the server rejected the call. Null until then.',
    }),
  }),
});

builder.objectRef<Row>('CodeInterpreterToolCall').implement({
  description: 'A call of the Python interpreter.',
  interfaces: [ToolCall],
  fields: (t) => ({
    code: t.string({
      description: 'The Python program. While the model writes it: the text so far.',
      resolve: (call, _args, ctx) => argumentOf(call, 'code', ctx),
    }),
    logs: t.string({
      description:
        'What the program printed, its last value, its exception and the names of the files it wrote: at most 200,000 characters, of which the program prints at most 200,000 bytes. While the program runs: the text so far.',
      resolve: (call, _args, ctx) => textOf(call, 'OUTPUT', ctx),
    }),
    files: t.field({
      type: [File],
      description: 'The files that the program wrote to /mnt/data: at most 20, of 50 MB together.',
      resolve: (call, _args, ctx) => filesOf(call, ctx),
    }),
  }),
});

builder.objectRef<Row>('TextToImageToolCall').implement({
  description: 'A call that generated images.',
  interfaces: [ToolCall],
  fields: (t) => ({
    prompt: t.string({
      description: 'The description of the image, as the model wrote it. While the model writes: the text so far.',
      resolve: (call, _args, ctx) => argumentOf(call, 'prompt', ctx),
    }),
    images: t.field({
      type: [File],
      description: 'The generated images.',
      resolve: (call, _args, ctx) => filesOf(call, ctx),
    }),
  }),
});

builder.objectRef<Row>('PluginToolCall').implement({
  description: 'A call of an operation of a plugin.',
  interfaces: [ToolCall],
  fields: (t) => ({
    plugin: t.field({
      type: Plugin,
      nullable: true,
      description: 'The plugin. Null if it has been deleted.',
      resolve: ({ pluginId }, _args, ctx) => (pluginId === null ? null : ctx.load(pluginsById, pluginId)),
    }),
    operation: t.string({
      description: 'The name of the operation.',
      resolve: ({ operation, name }) => operation ?? name,
    }),
    arguments: t.string({
      description:
        "The arguments: JSON text as the model wrote it. While the model writes: the text so far. Empty once the run has ended if the workspace's `recordSteps` is not FULL.",
      resolve: (call, _args, ctx) => textOf(call, 'ARGUMENTS', ctx),
    }),
    output: t.string({
      nullable: true,
      description:
        'The response of the plugin as the model receives it, with secrets replaced by `[secret]`: at most 200,000 characters. While the call runs: the text so far. Null if there is none.',
      resolve: async (call, _args, ctx) => (await textOf(call, 'OUTPUT', ctx)) || outputOf(call, null, ctx),
    }),
    httpStatus: t.exposeInt('httpStatus', {
      nullable: true,
      description: 'The HTTP status of the response. Null for MCP plugins, or if no response came.',
    }),
  }),
});

const FileSearchResult = builder
  .objectRef<StoredSearchResult & { file: typeof File.$inferType }>('FileSearchResult')
  .implement({
    description: 'A passage that a file search found.',
    fields: (t) => ({
      file: t.field({ type: File, description: 'The file that contains the passage.', resolve: ({ file }) => file }),
      text: t.exposeString('text', { description: 'The text of the passage, of about 1,000 characters.' }),
      page: t.exposeInt('page', {
        nullable: true,
        description: 'The page on which the passage starts, from 1. Null if the file has no pages.',
      }),
      score: t.exposeFloat('score', {
        description: 'Relevance, from 0 to 1 (best). Comparable within one search only.',
      }),
    }),
  });

builder.objectRef<Row>('FileSearchToolCall').implement({
  description: 'A search in the files of the assistant, the thread and its messages.',
  interfaces: [ToolCall],
  fields: (t) => ({
    query: t.string({
      description: 'The search query, as the model wrote it. While the model writes: the text so far.',
      resolve: (call, _args, ctx) => argumentOf(call, 'query', ctx),
    }),
    results: t.field({
      type: [FileSearchResult],
      description: 'The passages found, best first. Passages of deleted files are left out.',
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
  description: 'A web search.',
  interfaces: [ToolCall],
  fields: (t) => ({
    query: t.string({
      description: 'The search query, as the model wrote it. While the model writes: the text so far.',
      resolve: (call, _args, ctx) => argumentOf(call, 'query', ctx),
    }),
    output: t.string({
      nullable: true,
      resolve: outputOf,
      description:
        'Titles, addresses and excerpts of the results as the model receives them. Null until the search ends.',
    }),
  }),
});
