import { requireScope } from '../../domain/access/access.ts';
import { threadsVisibleTo, unlessKey } from '../../domain/access/scope.ts';
import type { DomainContext } from '../../domain/context.ts';
import { expiryOf } from '../../domain/retention/expired-threads.ts';
import { noUsage, usageOf } from '../../domain/run/usage.ts';
import { threadsWhere } from '../../domain/thread/thread.ts';
import { viewsOfThreads } from '../../domain/thread/thread-view.ts';
import { currentWorkspace } from '../../domain/workspace/workspace.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import { eventCursor } from '../event-cursor.ts';
import { hideDeleted } from '../hide-deleted.ts';
import { listOf } from '../list-of.ts';
import { orderingsOf } from '../list-order.ts';
import { metadataDescription } from '../scalar.ts';
import { Assistant, assistantOf } from './assistant.ts';
import { File, filesOf } from './file.ts';
import { UsageType } from './usage.ts';

/** The usage and cost of all runs of threads, with one statement for all threads. */
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

/** The workspace's `threadTtlDays`, read once per request. */
async function threadTtls(ctx: DomainContext, keys: readonly 'ttl'[]) {
  const { threadTtlDays } = await currentWorkspace(ctx);
  return keys.map(() => threadTtlDays);
}

/** A conversation and the queue of its runs. */
export const Thread = builder.prismaNode('Thread', {
  nullable: true,
  description:
    'A conversation: messages, and the runs that answer them. A thread executes one run at a time; further runs wait in the order of their creation.',
  id: { resolve: ({ id }) => id, description: 'Thread id: `thread_` and a UUIDv7 (TypeID).' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'THREADS_READ');
    return {
      workspaceId_id: { workspaceId: ctx.workspaceId, id },
      ...unlessKey(ctx.actor, threadsVisibleTo(ctx.actor)),
    };
  },
  fields: (t) => ({
    title: t.exposeString('title', { nullable: true, description: 'The title of the thread, for people.' }),
    assistant: t.field(assistantOf('The assistant of runs that name no assistant. Null: such runs have none.')),
    owner: t.exposeString('owner', {
      nullable: true,
      description: 'The end user to whom the thread belongs: their user id. Null: it belongs to the workspace.',
    }),
    files: t.field({
      type: [File],
      description:
        'The files attached to the thread itself, which the tools of its runs can read and search. The files of its messages are in `attachments`.',
      select: { files: { orderBy: { fileId: 'asc' }, select: { fileId: true } } },
      resolve: ({ files }, _args, ctx) => filesOf(ctx, files),
    }),
    metadata: t.expose('metadata', { type: 'Metadata', description: metadataDescription }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the thread was created.' }),
    lastActiveAt: t.expose('lastActiveAt', {
      type: 'DateTime',
      description: 'When a message was last added or edited, or a run last created.',
    }),
    archivedAt: t.expose('archivedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the thread was archived. Null: it is not archived.',
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description:
        'When the server deletes the thread unless it becomes active again: `threadTtlDays` of the workspace after `lastActiveAt`. Null: never.',
      resolve: async ({ lastActiveAt }, _args, ctx) =>
        expiryOf(lastActiveAt, await ctx.load(threadTtls, 'ttl' as const)),
    }),
    activeRun: t.relation('activeRun', {
      nullable: true,
      description: 'The unfinished run that occupies the thread. Null: the thread is free.',
    }),
    forkedFrom: t.relation('forkedFrom', {
      nullable: true,
      description: 'The message at which the thread was forked. Null: it is not a fork, or that message was deleted.',
    }),
    eventCursor: t.string({
      description:
        "The position in the thread's events that this response reflects. Pass it to `threadEvents(after:)` to receive everything newer, without gaps or repetitions.",
      resolve: (thread, _args, ctx) => eventCursor(ctx, thread, null),
    }),
    unreadCount: t.int({
      description:
        'Answers after the last message that you have read (`markThreadRead`), 100 at most. You are the end user, or the API key.',
      resolve: async ({ id }, _args, ctx) => (await ctx.load(viewsOfThreads, id)).unread,
    }),
    pinnedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When you pinned the thread (`pinThread`). Null: you have not.',
      resolve: async ({ id }, _args, ctx) => (await ctx.load(viewsOfThreads, id)).pinnedAt,
    }),
    usage: t.field({
      type: UsageType,
      description: 'The tokens that all runs of the thread used together.',
      resolve: async ({ id }, _args, ctx) => (await ctx.load(totalsOfThreads, id)).usage,
    }),
    cost: t.field({
      type: 'Decimal',
      nullable: true,
      description:
        'The cost of all runs of the thread together, in US dollars. Null: no run used a model with a known price.',
      resolve: async ({ id }, _args, ctx) => (await ctx.load(totalsOfThreads, id)).cost,
    }),
  }),
});
hideDeleted(Thread, 'Thread');

const ThreadFilter = builder.inputType('ThreadFilter', {
  description: 'Selects threads that meet all of the given conditions.',
  fields: (t) => ({
    assistantId: t.id({ description: 'The assistant of the thread.' }),
    owner: t.string({ description: 'The end user to whom the thread belongs: at most 256 characters.' }),
    search: t.string({
      description: 'A text that the title or a message contains, case-insensitive: at most 1000 characters.',
    }),
    metadata: t.field({ type: 'Metadata', description: 'Pairs that the metadata contains.' }),
    archived: t.boolean({
      defaultValue: false,
      description: 'true: only archived threads; false: only threads that are not archived. Null: both.',
    }),
    pinned: t.boolean({ description: 'true: only threads that you have pinned; false: only others.' }),
    hasActiveRun: t.boolean({ description: 'true: only threads with a run that has not ended; false: only others.' }),
    createdAfter: t.field({ type: 'DateTime', description: 'Only threads that were created later.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Only threads that were created earlier.' }),
    lastActiveBefore: t.field({ type: 'DateTime', description: 'Only threads whose `lastActiveAt` is earlier.' }),
    lastActiveAfter: t.field({ type: 'DateTime', description: 'Only threads whose `lastActiveAt` is later.' }),
  }),
});

const threads = listOf(Thread, {
  model: 'thread',
  noun: 'thread',
  filter: { type: ThreadFilter, default: 'threads that are not archived' },
  order: orderingsOf({
    list: 'threads',
    typeName: 'Thread',
    fields: {
      CREATED_AT: { name: 'createdAt', type: 'time', description: 'The time of creation.' },
      LAST_ACTIVE_AT: {
        name: 'lastActiveAt',
        type: 'time',
        description: 'The time when a message was last added or edited, or a run last created.',
      },
    },
    field: 'LAST_ACTIVE_AT',
    direction: 'DESC',
  })('DESC'),
  where: (filter, ctx) => {
    requireScope(ctx, 'THREADS_READ');
    return { AND: [threadsVisibleTo(ctx.actor), threadsWhere(ctx, filter)] };
  },
});

builder.queryField('thread', (t) =>
  t.prismaField({
    type: Thread,
    nullable: true,
    description: 'Returns a thread. Null if no visible thread has this id.',
    args: { id: t.arg.id({ required: true, description: 'The id of the thread.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'THREADS_READ');
      return isId('Thread', id)
        ? ctx.db.thread.findFirst({ ...query, where: { id, ...threadsVisibleTo(ctx.actor) } })
        : null;
    },
  }),
);
builder.queryField(
  'threads',
  threads.root(
    'Lists the threads that you may see: all threads of the workspace for an API key, their own for an end user.',
  ),
);
builder.prismaObjectField(
  Assistant,
  'threads',
  threads.child({
    description: 'The threads of the assistant that you may see.',
    relation: 'threads',
    parentColumn: 'assistantId',
  }),
);
