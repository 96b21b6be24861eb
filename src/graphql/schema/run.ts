import { requireScope } from '../../domain/access/access.ts';
import { inThreadsVisibleTo } from '../../domain/access/scope.ts';
import { runsWhere } from '../../domain/run/run.ts';
import { usageOf } from '../../domain/run/usage.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import { eventCursor } from '../event-cursor.ts';
import { childList, type ListArgs, rootList } from '../list.ts';
import { Assistant } from './assistant.ts';
import { Message, MessageConnection, MessageEdge, messageOrder } from './message.ts';
import { errorOf, RunError, RunIncompleteReason, RunStatus, Truncation } from './run-status.ts';
import { OrderDirection } from './scope.ts';
import { Thread } from './thread.ts';
import { shownTools, Tool } from './tool.ts';
import { UsageType } from './usage.ts';

/** One invocation of a model on a thread. */
export const Run = builder.prismaNode('Run', {
  nullable: true,
  description: 'One invocation of a model on a thread.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'RUNS_READ');
    return { workspaceId_id: { workspaceId: ctx.workspaceId, id }, ...inThreadsVisibleTo(ctx.actor) };
  },
  fields: (t) => ({
    thread: t.relation('thread', { description: 'Its thread.' }),
    assistant: t.relation('assistant', { nullable: true, description: 'The assistant whose configuration it took.' }),
    status: t.expose('status', { type: RunStatus, description: 'Where it stands.' }),
    lastError: t.field({
      type: RunError,
      nullable: true,
      description: 'What went wrong; null: nothing.',
      resolve: errorOf,
    }),
    incompleteReason: t.expose('incompleteReason', {
      type: RunIncompleteReason,
      nullable: true,
      description: 'The limit that it ran into.',
    }),
    model: t.exposeString('model', { description: 'The model in force when it was created, as `provider/model`.' }),
    instructions: t.exposeString('instructions', {
      nullable: true,
      description: 'The instructions in force when it was created.',
    }),
    tools: t.field({
      type: [Tool],
      description: 'The tools in force when it was created.',
      resolve: ({ tools }, _args, ctx) => shownTools(ctx, tools) as never,
    }),
    temperature: t.exposeFloat('temperature', {
      nullable: true,
      description: 'From 0 to 2; null: the provider decides.',
    }),
    topP: t.exposeFloat('topP', { nullable: true, description: 'From 0 to 1; null: the provider decides.' }),
    maxPromptTokens: t.exposeInt('maxPromptTokens', {
      nullable: true,
      description: 'How many tokens it may read in all; null: no limit.',
    }),
    maxCompletionTokens: t.exposeInt('maxCompletionTokens', {
      nullable: true,
      description: 'How many tokens it may write in all; null: no limit.',
    }),
    toolChoice: t.expose('toolChoice', {
      type: 'JSON',
      nullable: true,
      description: "Whether and what it must call, in the form of OpenAI's tool_choice.",
    }),
    parallelToolCalls: t.exposeBoolean('parallelToolCalls', {
      description: 'Whether the model may make several calls at once.',
    }),
    responseFormat: t.expose('responseFormat', {
      type: 'JSON',
      nullable: true,
      description: "How the answer is shaped, in the form of OpenAI's response_format.",
    }),
    truncation: t.field({
      type: Truncation,
      description: 'How much of the conversation the model is told.',
      resolve: ({ truncation, truncationLastMessages }) => ({
        strategy: truncation,
        lastMessages: truncationLastMessages,
      }),
    }),
    usage: t.field({
      type: UsageType,
      nullable: true,
      description: 'What it has used; null: nothing yet, or the provider did not say.',
      resolve: usageOf,
    }),
    cost: t.expose('cost', {
      type: 'Decimal',
      nullable: true,
      description: 'What it cost in US dollars; null: the model has no price.',
    }),
    omittedMessages: t.exposeInt('omittedMessages', {
      description:
        'How many messages of the thread the model was last not told: older than `truncation` keeps, or more than its context window, or `maxPromptTokens`, holds.',
    }),
    queuedMs: t.int({
      nullable: true,
      description: 'How long it waited until a worker first took it, in milliseconds; null: it waits.',
      resolve: ({ createdAt, startedAt }) => between(createdAt, startedAt),
    }),
    firstTokenMs: t.int({
      nullable: true,
      description: 'How long it took from there until the model began to answer, in milliseconds; null: it has not.',
      resolve: ({ startedAt, firstTokenAt }) => between(startedAt, firstTokenAt),
    }),
    tokensPerSecond: t.float({
      nullable: true,
      description: 'How fast the model wrote, without what it waited for; null: not known.',
      resolve: ({ completionTokens, generationMs }) =>
        completionTokens && generationMs ? Math.round((completionTokens / generationMs) * 10_000) / 10 : null,
    }),
    attempt: t.exposeInt('attempt', { description: '1, or more after a worker died and another took over.' }),
    eventCursor: t.string({
      description:
        'The position that this answer reflects: `runEvents(after:)` from here misses nothing and repeats nothing.',
      select: { id: true, number: true, threadId: true, thread: { select: { lastSeq: true } } },
      resolve: (run, _args, ctx) => eventCursor(ctx, { id: run.threadId, lastSeq: run.thread.lastSeq }, run),
    }),
    metadata: t.expose('metadata', { type: 'Metadata', description: 'Your own pairs.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When a worker first took it.' }),
    firstTokenAt: t.expose('firstTokenAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the model began to answer.',
    }),
    endedAt: t.expose('endedAt', { type: 'DateTime', nullable: true, description: 'When it ended; null: it has not.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it expires unless tool outputs come; null: it waits for none.',
    }),
    messages: t.connection(
      {
        type: Message,
        description: 'The messages that it wrote.',
        args: { order: t.arg({ type: OrderDirection, defaultValue: 'ASC', description: 'ASC: the first one first.' }) },
        ...childList({
          relation: 'messages',
          model: 'message',
          typeName: 'Message',
          parentColumn: 'runId',
          order: ({ order }) => messageOrder(order ?? 'ASC'),
          where: (_args, ctx) => {
            requireScope(ctx, 'THREADS_READ');
            return {};
          },
        }),
      },
      MessageConnection,
      MessageEdge,
    ),
  }),
});

const between = (start: Date | null, end: Date | null) => (start && end ? end.getTime() - start.getTime() : null);

/** A run in a list. */
const RunEdge = builder.edgeObject({ type: Run, name: 'RunEdge', description: 'One run in a list.' });
const RunConnection = builder.connectionObject(
  { type: Run, name: 'RunConnection', description: 'A page of runs.' },
  RunEdge,
);

const RunOrderField = builder.enumType('RunOrderField', {
  description: 'What runs are ordered by.',
  values: { CREATED_AT: { description: 'When they were created.' } } as const,
});

const RunOrder = builder.inputType('RunOrder', {
  description: 'The order of runs.',
  fields: (t) => ({
    field: t.field({
      type: RunOrderField,
      required: true,
      defaultValue: 'CREATED_AT',
      description: 'What to order by.',
    }),
    direction: t.field({
      type: OrderDirection,
      required: true,
      defaultValue: 'DESC',
      description: 'Which end comes first.',
    }),
  }),
});

const RunFilter = builder.inputType('RunFilter', {
  description: 'Which runs; all conditions hold.',
  fields: (t) => ({
    threadId: t.id({ description: 'Those of this thread.' }),
    assistantId: t.id({ description: 'Those of this assistant.' }),
    status: t.field({ type: [RunStatus], description: 'Those in one of these.' }),
    createdAfter: t.field({ type: 'DateTime', description: 'Created later than this.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Created earlier than this.' }),
  }),
});

const runOrder = ({ orderBy }: ListArgs) => ({
  list: 'runs',
  direction: orderBy?.direction ?? ('DESC' as const),
  columns: [
    { name: 'createdAt', type: 'time' as const },
    { name: 'id', type: 'text' as const },
  ],
});

builder.queryFields((t) => ({
  run: t.prismaField({
    type: Run,
    nullable: true,
    description: 'A run; null when there is none with this id for you.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'RUNS_READ');
      return isId('Run', id)
        ? ctx.db.run.findFirst({ ...query, where: { id, ...inThreadsVisibleTo(ctx.actor) } })
        : null;
    },
  }),
  runs: t.connection(
    {
      type: Run,
      description: 'The runs that you may see.',
      args: {
        filter: t.arg({ type: RunFilter, description: 'Which ones; absent: all.' }),
        orderBy: t.arg({ type: RunOrder, description: 'Their order; absent: newest first.' }),
      },
      resolve: (_root, args, ctx, info) => {
        requireScope(ctx, 'RUNS_READ');
        const where = { AND: [inThreadsVisibleTo(ctx.actor), runsWhere(args.filter)] };
        return rootList(
          ctx.db,
          ctx,
          info,
          { model: 'run', typeName: 'Run', order: runOrder(args), where },
          args,
        ) as never;
      },
    },
    RunConnection,
    RunEdge,
  ),
}));

const runsOf = (parentColumn: 'threadId' | 'assistantId') =>
  childList({
    relation: 'runs',
    model: 'run',
    typeName: 'Run',
    parentColumn,
    order: runOrder,
    where: ({ filter }, ctx) => {
      requireScope(ctx, 'RUNS_READ');
      return { AND: [inThreadsVisibleTo(ctx.actor), runsWhere(filter)] };
    },
  });

builder.prismaObjectField(Thread, 'runs', (t) =>
  t.connection(
    {
      type: Run,
      description: 'Its runs.',
      args: {
        filter: t.arg({ type: RunFilter, description: 'Which ones; absent: all.' }),
        orderBy: t.arg({ type: RunOrder, description: 'Their order; absent: newest first.' }),
      },
      ...runsOf('threadId'),
    },
    RunConnection,
    RunEdge,
  ),
);

builder.prismaObjectField(Assistant, 'runs', (t) =>
  t.connection(
    {
      type: Run,
      description: 'The runs that took its configuration.',
      args: {
        filter: t.arg({ type: RunFilter, description: 'Which ones; absent: all.' }),
        orderBy: t.arg({ type: RunOrder, description: 'Their order; absent: newest first.' }),
      },
      ...runsOf('assistantId'),
    },
    RunConnection,
    RunEdge,
  ),
);
