import type { ToolCall as Row } from '../db/generated/client.ts';
import { builder } from './builder.ts';
import { File } from './file.ts';
import { Plugin } from './plugin.ts';
import { errorOf, RunError } from './run-status.ts';
import { StepStatus } from './step-status.ts';
import { growingTexts } from './text.ts';

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
  resolveType: () => 'FunctionToolCall',
});

/** A call of a function that the client runs. */
export const FunctionToolCall = builder.objectRef<Row>('FunctionToolCall').implement({
  description: 'A call of a function that the client runs.',
  interfaces: [ToolCall],
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The function.' }),
    arguments: t.string({
      description: 'The arguments: JSON, as the model wrote it; while it writes, as far as it has come.',
      resolve: (call, _args, ctx) =>
        call.status === 'IN_PROGRESS' && call.arguments === ''
          ? ctx.load(growingTexts, { ownerId: call.id, channel: 'ARGUMENTS' as const })
          : call.arguments,
    }),
    output: t.exposeString('output', { nullable: true, description: 'What the client answered; null: nothing yet.' }),
  }),
});

type StoredFile = typeof File.$inferType;

type NotYet<Fields> = Row & Fields;

builder.objectRef<NotYet<{ code: string; logs: string; files: StoredFile[] }>>('CodeInterpreterToolCall').implement({
  description: 'Python that was run.',
  interfaces: [ToolCall],
  fields: (t) => ({
    code: t.exposeString('code', { description: 'The program.' }),
    logs: t.exposeString('logs', { description: 'What it printed.' }),
    files: t.field({ type: [File], description: 'What it wrote.', resolve: ({ files }) => files }),
  }),
});

builder.objectRef<NotYet<{ prompt: string; images: StoredFile[] }>>('TextToImageToolCall').implement({
  description: 'Pictures that were drawn.',
  interfaces: [ToolCall],
  fields: (t) => ({
    prompt: t.exposeString('prompt', { description: 'What was asked for.' }),
    images: t.field({ type: [File], description: 'The pictures.', resolve: ({ images }) => images }),
  }),
});

builder
  .objectRef<NotYet<{ plugin: typeof Plugin.$inferType | null; operation: string; httpStatus: number | null }>>(
    'PluginToolCall',
  )
  .implement({
    description: 'An operation of a plug-in that was called.',
    interfaces: [ToolCall],
    fields: (t) => ({
      plugin: t.field({
        type: Plugin,
        nullable: true,
        description: 'The plug-in; null: it has been deleted.',
        resolve: ({ plugin }) => plugin,
      }),
      operation: t.exposeString('operation', { description: 'The operation.' }),
      arguments: t.exposeString('arguments', { description: 'The arguments: JSON, as the model wrote it.' }),
      output: t.exposeString('output', { nullable: true, description: 'What it answered; null: nothing yet.' }),
      httpStatus: t.exposeInt('httpStatus', {
        nullable: true,
        description: 'The HTTP status of the answer; null: there was none.',
      }),
    }),
  });

interface SearchResult {
  file: StoredFile;
  text: string;
  score: number;
}

const FileSearchResult = builder.objectRef<SearchResult>('FileSearchResult').implement({
  description: 'A passage that was found.',
  fields: (t) => ({
    file: t.field({ type: File, description: 'The file it stands in.', resolve: ({ file }) => file }),
    text: t.exposeString('text', { description: 'The passage.' }),
    score: t.exposeFloat('score', { description: 'How well it fits: 0 to 1.' }),
  }),
});

builder.objectRef<NotYet<{ query: string; results: SearchResult[] }>>('FileSearchToolCall').implement({
  description: 'A search in files.',
  interfaces: [ToolCall],
  fields: (t) => ({
    query: t.exposeString('query', { description: 'What was looked for.' }),
    results: t.field({
      type: [FileSearchResult],
      description: 'What was found, the best first.',
      resolve: ({ results }) => results,
    }),
  }),
});

builder.objectRef<NotYet<{ query: string }>>('WebSearchToolCall').implement({
  description: 'A search in the web.',
  interfaces: [ToolCall],
  fields: (t) => ({
    query: t.exposeString('query', { description: 'What was looked for.' }),
    output: t.exposeString('output', { nullable: true, description: 'What was found; null: nothing yet.' }),
  }),
});
