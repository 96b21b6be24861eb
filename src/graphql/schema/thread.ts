import { requireScope } from '../../domain/access/access.ts';
import { threadsVisibleTo } from '../../domain/access/scope.ts';
import type { DomainContext } from '../../domain/context.ts';
import { ConflictError, ForbiddenError, InvalidInputError, NotFoundError } from '../../domain/error.ts';
import { deleteThread } from '../../domain/history/delete-thread.ts';
import { forkThread } from '../../domain/history/fork-thread.ts';
import { expiryOf } from '../../domain/retention/expired-threads.ts';
import { noUsage, usageOf } from '../../domain/run/usage.ts';
import { createThread, threadsWhere, updateThread } from '../../domain/thread/thread.ts';
import { currentWorkspace } from '../../domain/workspace/workspace.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import { eventCursor } from '../event-cursor.ts';
import { childList, rootList } from '../list.ts';
import { deletedPayload, resultErrors } from '../result-union.ts';
import { Assistant } from './assistant.ts';
import { File, filesOf } from './file.ts';
import { MessageInput } from './message-input.ts';
import { OrderDirection } from './scope.ts';
import { UsageType } from './usage.ts';

/** What the runs of threads have used and cost, with one statement for all of them. */
async function totalsOfThreads(ctx: DomainContext, ids: readonly string[]) {
  const tokens = { promptTokens: true, completionTokens: true, reasoningTokens: true, cachedTokens: true } as const;
  const _sum = { ...tokens, cost: true } as const;
  const rows = await ctx.db.run.groupBy({ by: ['threadId'], where: { threadId: { in: [...ids] } }, _sum });
  const byId = new Map(rows.map((row) => [row.threadId, row._sum]));
  return ids.map((id) => {
    const sum = byId.get(id);
    return { usage: (sum && usageOf(sum)) ?? { ...noUsage, totalTokens: 0 }, cost: sum?.cost ?? null };
  });
}

async function threadTtls(ctx: DomainContext, keys: readonly 'ttl'[]) {
  const { threadTtlDays } = await currentWorkspace(ctx);
  return keys.map(() => threadTtlDays);
}

/** One conversation, and the queue of its runs. */
export const Thread = builder.prismaNode('Thread', {
  nullable: true,
  description: 'One conversation. It runs one run at a time; others wait their turn.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'THREADS_READ');
    return { workspaceId_id: { workspaceId: ctx.workspaceId, id }, ...threadsVisibleTo(ctx.actor) };
  },
  fields: (t) => ({
    title: t.exposeString('title', { nullable: true, description: 'Its title.' }),
    assistant: t.relation('assistant', {
      nullable: true,
      description: 'The assistant that a run uses when it names none.',
    }),
    owner: t.exposeString('owner', {
      nullable: true,
      description: 'The end user it belongs to; null: the workspace itself.',
    }),
    files: t.field({
      type: [File],
      description: 'The files that came with the thread itself; those of its messages are their attachments.',
      select: { files: { orderBy: { fileId: 'asc' }, select: { fileId: true } } },
      resolve: ({ files }, _args, ctx) => filesOf(ctx, files),
    }),
    metadata: t.expose('metadata', { type: 'Metadata', description: 'Your own pairs.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    lastActiveAt: t.expose('lastActiveAt', {
      type: 'DateTime',
      description: 'When a message or a run last came to it.',
    }),
    archivedAt: t.expose('archivedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was archived; null: it is not.',
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is deleted unless something happens in it; null: never.',
      resolve: async ({ lastActiveAt }, _args, ctx) =>
        expiryOf(lastActiveAt, await ctx.load(threadTtls, 'ttl' as const)),
    }),
    activeRun: t.relation('activeRun', { nullable: true, description: 'The run that holds the thread now, if any.' }),
    forkedFrom: t.relation('forkedFrom', { nullable: true, description: 'The message that it was forked from.' }),
    eventCursor: t.string({
      description:
        'The position that this answer reflects: `threadEvents(after:)` from here misses nothing and repeats nothing.',
      resolve: (thread, _args, ctx) => eventCursor(ctx, thread, null),
    }),
    usage: t.field({
      type: UsageType,
      description: 'What all its runs have used.',
      resolve: async ({ id }, _args, ctx) => (await ctx.load(totalsOfThreads, id)).usage,
    }),
    cost: t.field({
      type: 'Decimal',
      nullable: true,
      description: 'What they cost in US dollars; null: none of them used a model with a price.',
      resolve: async ({ id }, _args, ctx) => (await ctx.load(totalsOfThreads, id)).cost,
    }),
  }),
});

/** A thread in a list. */
const ThreadEdge = builder.edgeObject({ type: Thread, name: 'ThreadEdge', description: 'One thread in a list.' });
const ThreadConnection = builder.connectionObject(
  { type: Thread, name: 'ThreadConnection', description: 'A page of threads.' },
  ThreadEdge,
);

const ThreadOrderField = builder.enumType('ThreadOrderField', {
  description: 'What threads are ordered by.',
  values: {
    CREATED_AT: { description: 'When they were made.' },
    LAST_ACTIVE_AT: { description: 'When a message or a run last came to them.' },
  } as const,
});

const ThreadOrder = builder.inputType('ThreadOrder', {
  description: 'The order of threads.',
  fields: (t) => ({
    field: t.field({
      type: ThreadOrderField,
      required: true,
      defaultValue: 'LAST_ACTIVE_AT',
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

const ThreadFilter = builder.inputType('ThreadFilter', {
  description: 'Which threads; all conditions hold.',
  fields: (t) => ({
    assistantId: t.id({ description: 'Those of this assistant.' }),
    owner: t.string({ description: 'Those of this end user.' }),
    search: t.string({ description: 'A text in the title or in a message, whatever its case.' }),
    metadata: t.field({ type: 'Metadata', description: 'All of these pairs.' }),
    archived: t.boolean({
      defaultValue: false,
      description: 'false: those that are not archived; true: those that are; null: both.',
    }),
    lastActiveBefore: t.field({ type: 'DateTime', description: 'Nothing has happened in them since.' }),
    lastActiveAfter: t.field({ type: 'DateTime', description: 'Something has happened in them since.' }),
  }),
});

const threadOrder = (orderBy?: { field: string; direction: 'ASC' | 'DESC' } | null) => ({
  list: 'threads',
  direction: orderBy?.direction ?? 'DESC',
  columns: [
    { name: orderBy?.field === 'CREATED_AT' ? 'createdAt' : 'lastActiveAt', type: 'time' as const },
    { name: 'id', type: 'text' as const },
  ],
});

builder.queryFields((t) => ({
  thread: t.prismaField({
    type: Thread,
    nullable: true,
    description: 'A thread; null when there is none with this id for you.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'THREADS_READ');
      return isId('Thread', id)
        ? ctx.db.thread.findFirst({ ...query, where: { id, ...threadsVisibleTo(ctx.actor) } })
        : null;
    },
  }),
  threads: t.connection(
    {
      type: Thread,
      description: 'The threads that you may see: those of the workspace, or your own.',
      args: {
        filter: t.arg({ type: ThreadFilter, description: 'Which ones; absent: those that are not archived.' }),
        orderBy: t.arg({ type: ThreadOrder, description: 'Their order; absent: the last active first.' }),
      },
      resolve: (_root, args, ctx, info) => {
        requireScope(ctx, 'THREADS_READ');
        const where = { AND: [threadsVisibleTo(ctx.actor), threadsWhere(args.filter)] };
        const list = { model: 'thread', typeName: 'Thread', order: threadOrder(args.orderBy), where } as const;
        return rootList(ctx.db, ctx, info, list, args) as never;
      },
    },
    ThreadConnection,
    ThreadEdge,
  ),
}));

builder.prismaObjectField(Assistant, 'threads', (t) => {
  const args = {
    filter: t.arg({ type: ThreadFilter, description: 'Which ones; absent: those that are not archived.' }),
    orderBy: t.arg({ type: ThreadOrder, description: 'Their order; absent: the last active first.' }),
  };
  return t.connection(
    {
      type: Thread,
      description: 'Its threads that you may see.',
      args,
      ...childList({
        relation: 'threads',
        model: 'thread',
        typeName: 'Thread',
        parentColumn: 'assistantId',
        order: ({ orderBy }) => threadOrder(orderBy),
        where: ({ filter }, ctx) => {
          requireScope(ctx, 'THREADS_READ');
          return { AND: [threadsVisibleTo(ctx.actor), threadsWhere(filter)] };
        },
      }),
    },
    ThreadConnection,
    ThreadEdge,
  );
});

/** A thread of an input. */
export const CreateThreadInput = builder.inputType('CreateThreadInput', {
  description: 'A thread to make.',
  fields: (t) => ({
    title: t.string({ description: 'Its title: up to 256 characters.' }),
    assistantId: t.id({ description: 'The assistant that its runs use when they name none.' }),
    owner: t.string({ description: 'The end user it belongs to; for an end user it is always themselves.' }),
    messages: t.field({ type: [MessageInput], description: 'Its first messages: up to 100.' }),
    fileIds: t.idList({ description: 'Files for its runs, up to 1000: tools read and search them.' }),
    metadata: t.field({ type: 'Metadata', description: 'Your own pairs.' }),
  }),
});

const UpdateThreadInput = builder.inputType('UpdateThreadInput', {
  description: 'A change of a thread: absent keeps, null clears.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The thread.' }),
    title: t.string({ description: 'A new title.' }),
    assistantId: t.id({ description: 'Another assistant.' }),
    archived: t.boolean({ description: 'Whether it is archived.' }),
    fileIds: t.idList({ description: 'New files, in place of all there are.' }),
    metadata: t.field({ type: 'Metadata', description: 'New pairs, in place of all there are.' }),
  }),
});

const DeleteThreadInput = builder.inputType('DeleteThreadInput', {
  description: 'A thread to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The thread.' }) }),
});

const ForkThreadInput = builder.inputType('ForkThreadInput', {
  description: 'Where to fork.',
  fields: (t) => ({
    throughMessageId: t.id({ required: true, description: 'The last message that the new thread has.' }),
    title: t.string({ description: 'Its title; absent: the same.' }),
    metadata: t.field({ type: 'Metadata', description: 'Its pairs; absent: the same.' }),
  }),
});

const threadPayload = (name: string, description: string) =>
  builder.simpleObject(name, {
    description,
    fields: (t) => ({ thread: t.field({ type: Thread, nullable: false, description: 'The thread as it is now.' }) }),
  });
const CreateThreadPayload = threadPayload('CreateThreadPayload', 'The new thread.');
const UpdateThreadPayload = threadPayload('UpdateThreadPayload', 'The changed thread.');
const ForkThreadPayload = threadPayload('ForkThreadPayload', 'The new thread.');

builder.mutationFields((t) => ({
  createThread: t.field({
    type: CreateThreadPayload,
    description: 'Makes a thread with its first messages.',
    errors: resultErrors('CreateThread', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: CreateThreadInput, required: true, description: 'The thread to make.' }) },
    resolve: async (_root, { input }, ctx) => ({ thread: await createThread(ctx, input) }),
  }),
  updateThread: t.field({
    type: UpdateThreadPayload,
    description: 'Changes a thread, or archives it.',
    errors: resultErrors('UpdateThread', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdateThreadInput, required: true, description: 'The change.' }) },
    resolve: async (_root, { input }, ctx) => ({ thread: await updateThread(ctx, input) }),
  }),
  deleteThread: t.field({
    type: deletedPayload('DeleteThreadPayload'),
    description: 'Cancels what runs in a thread and deletes it with all it holds.',
    errors: resultErrors('DeleteThread', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeleteThreadInput, required: true, description: 'Which one.' }) },
    resolve: async (_root, { input }, ctx) => ({ deletedId: await deleteThread(ctx, input) }),
  }),
  forkThread: t.field({
    type: ForkThreadPayload,
    description: 'A new thread with copies of the messages up to one.',
    errors: resultErrors('ForkThread', [NotFoundError, ConflictError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: ForkThreadInput, required: true, description: 'Where to fork.' }) },
    resolve: async (_root, { input }, ctx) => ({ thread: await forkThread(ctx, input) }),
  }),
}));
