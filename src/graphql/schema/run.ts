import { Prisma } from '../../db/generated/client.ts';
import { requireScope } from '../../domain/access/access.ts';
import { inThreadsVisibleTo, unlessKey } from '../../domain/access/scope.ts';
import { runsWhere } from '../../domain/run/run.ts';
import { usageOf } from '../../domain/run/usage.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import { contentOf, plainColumns, showing } from '../contents.ts';
import { eventCursor } from '../event-cursor.ts';
import { hideDeleted } from '../hide-deleted.ts';
import { listOf } from '../list-of.ts';
import { orderingsOf } from '../list-order.ts';
import { metadataDescription } from '../scalar.ts';
import { Assistant, assistantOf } from './assistant.ts';
import { messages, oldestMessageFirst } from './message.ts';
import { ReasoningEffort, settingDescriptions } from './model-settings.ts';
import { errorOf, RunError } from './run-error.ts';
import { RunIncompleteReason } from './run-incomplete-reason.ts';
import { RunStatus } from './run-status.ts';
import { Thread } from './thread.ts';
import { shownTools, Tool } from './tool.ts';
import { ToolCallKind } from './tool-call-kind.ts';
import { Truncation } from './truncation.ts';
import { UsageType } from './usage.ts';

/** The execution of a model on a thread. */
export const Run = builder.prismaNode('Run', {
  nullable: true,
  select: plainColumns('Run', Prisma.RunScalarFieldEnum),
  description:
    'The execution of a model on a thread: it reads the messages, calls tools, and writes messages, until it ends. Its configuration is fixed when it is created.',
  id: { resolve: ({ id }) => id, description: 'Run id: `run_` and a UUIDv7 (TypeID).' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'RUNS_READ');
    return {
      workspaceId_id: { workspaceId: ctx.workspaceId, id },
      ...unlessKey(ctx.actor, inThreadsVisibleTo(ctx.actor)),
    };
  },
  fields: (t) => ({
    thread: t.relation('thread', { description: 'The thread that the run answers.' }),
    assistant: t.field(
      assistantOf('The assistant whose configuration the run copied. Null: none, or the assistant was deleted.'),
    ),
    status: t.expose('status', { type: RunStatus, description: 'The state of the run.' }),
    lastError: t.field({
      type: RunError,
      nullable: true,
      description: 'The error that ended the run. Null unless `status` is FAILED.',
      resolve: errorOf,
    }),
    incompleteReason: t.expose('incompleteReason', {
      type: RunIncompleteReason,
      nullable: true,
      description: 'The limit that ended the run early. Null unless `status` is INCOMPLETE.',
    }),
    model: t.exposeString('model', { description: 'The model, as `provider/model`.' }),
    instructions: t.string({
      nullable: true,
      ...showing('Run', 'instructions'),
      resolve: (row, _args, ctx) => contentOf(ctx, 'Run', row, 'instructions'),
      description: 'System instructions, including `additionalInstructions`. Null: none.',
    }),
    tools: t.field({
      type: [Tool],
      description: 'The tools that the model can call.',
      ...showing('Run', 'tools'),
      resolve: async (row, _args, ctx) => shownTools(ctx, await contentOf(ctx, 'Run', row, 'tools')) as never,
    }),
    temperature: t.exposeFloat('temperature', {
      nullable: true,
      description: "Sampling temperature, 0 to 2. Null: the provider's default.",
    }),
    topP: t.exposeFloat('topP', {
      nullable: true,
      description: "Nucleus sampling, 0 to 1. Null: the provider's default.",
    }),
    maxPromptTokens: t.exposeInt('maxPromptTokens', {
      nullable: true,
      description: 'Limit on the prompt tokens of all steps of the run together. Null: no limit.',
    }),
    maxCompletionTokens: t.exposeInt('maxCompletionTokens', {
      nullable: true,
      description: 'Limit on the completion tokens of all steps of the run together. Null: no limit.',
    }),
    toolChoice: t.field({
      type: 'JSON',
      ...showing('Run', 'toolChoice'),
      resolve: (row, _args, ctx) => contentOf(ctx, 'Run', row, 'toolChoice'),
      nullable: true,
      description:
        "Whether the model must call tools, and which, as in OpenAI's `tool_choice`. Null: the model decides.",
    }),
    parallelToolCalls: t.exposeBoolean('parallelToolCalls', {
      description: 'Whether the model may call several tools in one answer.',
    }),
    reasoningEffort: t.expose('reasoningEffort', {
      type: ReasoningEffort,
      nullable: true,
      description: `${settingDescriptions.reasoningEffort} Null: the provider's default.`,
    }),
    seed: t.exposeInt('seed', { nullable: true, description: `${settingDescriptions.seed} Null: none.` }),
    topK: t.exposeInt('topK', {
      nullable: true,
      description: `${settingDescriptions.topK} Null: the provider's default.`,
    }),
    stop: t.exposeStringList('stop', { description: settingDescriptions.stop }),
    providerOptions: t.field({
      type: 'JSON',
      nullable: true,
      description: `${settingDescriptions.providerOptions} Null: none.`,
      ...showing('Run', 'providerOptions'),
      resolve: (row, _args, ctx) => contentOf(ctx, 'Run', row, 'providerOptions'),
    }),
    responseFormat: t.field({
      type: 'JSON',
      ...showing('Run', 'responseFormat'),
      resolve: (row, _args, ctx) => contentOf(ctx, 'Run', row, 'responseFormat'),
      nullable: true,
      description: "The format of the answer, as in OpenAI's `response_format`. Null: text.",
    }),
    truncation: t.field({
      type: Truncation,
      description: 'How much of the conversation goes into the prompt.',
      resolve: ({ truncation, truncationLastMessages }) => ({
        strategy: truncation,
        lastMessages: truncationLastMessages,
      }),
    }),
    usage: t.field({
      type: UsageType,
      nullable: true,
      description: 'The tokens that the run has used so far. Null: none yet, or the provider does not report usage.',
      resolve: usageOf,
    }),
    cost: t.expose('cost', {
      type: 'Decimal',
      nullable: true,
      description:
        'The cost of the run so far, in US dollars. Null: nothing used yet, or the price of the model is not known.',
    }),
    omittedMessages: t.exposeInt('omittedMessages', {
      description:
        'The number of messages that the latest prompt left out, because of `truncation`, the context window of the model or `maxPromptTokens`.',
    }),
    queuedMs: t.int({
      nullable: true,
      description: 'The time from `createdAt` to `startedAt`, in milliseconds. Null: the run has not started.',
      resolve: ({ createdAt, startedAt }) => between(createdAt, startedAt),
    }),
    firstTokenMs: t.int({
      nullable: true,
      description:
        'The time from `startedAt` to `firstTokenAt`, in milliseconds. Null: the model has not begun to answer.',
      resolve: ({ startedAt, firstTokenAt }) => between(startedAt, firstTokenAt),
    }),
    tokensPerSecond: t.float({
      nullable: true,
      description:
        'The completion tokens per second while the model was writing, without waiting times. Null: not known.',
      resolve: ({ completionTokens, generationMs }) =>
        completionTokens && generationMs ? Math.round((completionTokens / generationMs) * 10_000) / 10 : null,
    }),
    attempt: t.exposeInt('attempt', {
      description:
        'The number of the current attempt, from 1. It increases when another worker takes over after a worker was lost.',
    }),
    eventCursor: t.string({
      description:
        "The position in the run's events that this response reflects. Pass it to `runEvents(after:)` to receive everything newer, without gaps or repetitions.",
      select: { id: true, number: true, threadId: true, thread: { select: { lastSeq: true } } },
      resolve: (run, _args, ctx) => eventCursor(ctx, { id: run.threadId, lastSeq: run.thread.lastSeq }, run),
    }),
    metadata: t.expose('metadata', { type: 'Metadata', description: metadataDescription }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the run was created.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When a worker started the run. Null: not yet.',
    }),
    firstTokenAt: t.expose('firstTokenAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the model began to answer. Null: not yet.',
    }),
    endedAt: t.expose('endedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the run entered a terminal status. Null: it has not ended.',
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the run expires unless the tool outputs arrive. Null: it does not wait for tool outputs.',
    }),
  }),
});
hideDeleted(Run, 'Run');

builder.prismaObjectField(
  Run,
  'messages',
  messages.child({
    description: 'The messages that the run wrote, oldest first by default.',
    relation: 'messages',
    parentColumn: 'runId',
    order: oldestMessageFirst,
    hasFilter: false,
  }),
);

/** The milliseconds between two times; null if one is missing. */
const between = (start: Date | null, end: Date | null) => (start && end ? end.getTime() - start.getTime() : null);

const sortsAll = 'Sorts all runs that the filter selects: narrow it in a large workspace.';

const RunFilter = builder.inputType('RunFilter', {
  description: 'Selects runs that meet all of the given conditions.',
  fields: (t) => ({
    threadId: t.id({ description: 'The thread of the run.' }),
    assistantId: t.id({ description: 'The assistant of the run.' }),
    status: t.field({ type: [RunStatus], description: 'The states of which the run has one.' }),
    model: t.string({ description: 'The model of the run, as in `Run.model`.' }),
    owner: t.string({ description: 'The owner of the thread: at most 200 characters.' }),
    errorCode: t.string({ description: 'The code of `lastError`: at most 100 characters.' }),
    toolKind: t.field({ type: ToolCallKind, description: 'Only runs with a call of a tool of this kind.' }),
    metadata: t.field({ type: 'Metadata', description: 'Pairs that the metadata contains.' }),
    longerThanMs: t.int({ description: 'Only runs that took longer from start to end, in milliseconds, at least 0.' }),
    costAbove: t.field({ type: 'Decimal', description: 'Only runs that cost more, in US dollars.' }),
    createdAfter: t.field({ type: 'DateTime', description: 'Only runs that were created later.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Only runs that were created earlier.' }),
  }),
});

const runs = listOf(Run, {
  model: 'run',
  noun: 'run',
  filter: { type: RunFilter, default: 'all runs' },
  order: orderingsOf({
    list: 'runs',
    typeName: 'Run',
    fields: {
      CREATED_AT: { name: 'createdAt', type: 'time', description: 'The time of creation.' },
      DURATION: {
        name: 'durationMs',
        type: 'number',
        description: `The time from start to end. ${sortsAll} Runs that have not ended count as 0.`,
      },
      COST: { name: 'knownCost', type: 'decimal', description: `The cost. ${sortsAll} An unknown cost counts as 0.` },
      TOTAL_TOKENS: {
        name: 'totalTokens',
        type: 'number',
        description: `Prompt and completion tokens. ${sortsAll} An unknown number counts as 0.`,
      },
    },
    field: 'CREATED_AT',
    direction: 'DESC',
  })('DESC'),
  where: (filter, ctx) => {
    requireScope(ctx, 'RUNS_READ');
    return { AND: [inThreadsVisibleTo(ctx.actor), runsWhere(filter)] };
  },
});

builder.queryField('run', (t) =>
  t.prismaField({
    type: Run,
    nullable: true,
    description: 'Returns a run. Null if no visible run has this id.',
    args: { id: t.arg.id({ required: true, description: 'The id of the run.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'RUNS_READ');
      return isId('Run', id)
        ? ctx.db.run.findFirst({ ...query, where: { id, ...inThreadsVisibleTo(ctx.actor) } })
        : null;
    },
  }),
);
builder.queryField(
  'runs',
  runs.root(
    'Lists the runs that you may see: all runs of the workspace for an API key, those in their own threads for an end user.',
  ),
);
builder.prismaObjectField(
  Thread,
  'runs',
  runs.child({ description: 'The runs of the thread.', relation: 'runs', parentColumn: 'threadId' }),
);
builder.prismaObjectField(
  Assistant,
  'runs',
  runs.child({
    description: 'The runs with the configuration of the assistant that you may see.',
    relation: 'runs',
    parentColumn: 'assistantId',
  }),
);
