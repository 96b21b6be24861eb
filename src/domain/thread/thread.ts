import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import type { Prisma, Thread } from '../../db/generated/client.ts';
import { isId, newId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { requireUsableAssistant } from '../access/user-rights.ts';
import type { DomainContext } from '../context.ts';
import { ForbiddenError, NotFoundError } from '../error.ts';
import { fileIds, requireFiles } from '../file/file.ts';
import { absentOr, clearable, metadata, metadataHolds, parse, searchIn, textUpTo } from '../input.ts';
import { inputLimits, threadLimits } from '../limits.ts';
import { changeThread, type TimedThread, timedThreadSql } from '../log/thread-change.ts';
import { requireRoom } from '../quota.ts';
import { appendMessages, messageInputs } from './message.ts';
import { pinnedBy } from './thread-view.ts';

const title = clearable(textUpTo(threadLimits.title));
/** A thread in an input. */
export const threadInput = z.object({
  title,
  assistantId: clearable(z.string()),
  owner: clearable(textUpTo(threadLimits.owner).min(1, 'Must not be empty')),
  messages: absentOr(messageInputs),
  fileIds,
  metadata: absentOr(metadata),
});
type ThreadInput = Partial<z.output<typeof threadInput>>;

const updateInput = z.object({
  id: z.string(),
  title,
  assistantId: clearable(z.string()),
  archived: absentOr(z.boolean()),
  fileIds,
  metadata: absentOr(metadata),
});

/** The owner of a new thread. Throws ForbiddenError when an end user names another owner. */
function ownerFor(ctx: DomainContext, owner: string | null | undefined): string | null {
  if (ctx.actor.kind !== 'USER') return owner ?? null;
  if (owner && owner !== ctx.actor.userId)
    throw new ForbiddenError(null, 'An end user can create threads only for themselves. Omit owner.');
  return ctx.actor.userId;
}

/** Throws NotFoundError unless the assistant exists; no ID is valid. */
async function requireAssistant(tx: Pick<Transaction, 'assistant'>, id: string | null | undefined): Promise<void> {
  if (id === null || id === undefined) return;
  const found = isId('Assistant', id) && (await tx.assistant.findFirst({ where: { id }, select: { id: true } }));
  if (!found) throw new NotFoundError(id);
}

/** Inserts the row of a new thread. Returns the columns that a change of the thread needs. */
export async function insertThread(
  ctx: DomainContext,
  tx: Transaction,
  id: string,
  input: ThreadInput & { forkedFromId?: string },
): Promise<TimedThread> {
  // A fork has the assistant of its source: its runs are checked when they are created.
  if (input.assistantId && input.forkedFromId === undefined) requireUsableAssistant(ctx, input.assistantId);
  await requireAssistant(tx, input.assistantId);
  if (ctx.actor.kind === 'USER') {
    const { perUser } = threadLimits;
    const owned = await tx.thread.count({ where: { owner: ctx.actor.userId }, take: perUser });
    requireRoom(owned, perUser, 'threads of an end user in a workspace');
  }
  const { title = null, assistantId = null, metadata: pairs = {}, forkedFromId = null } = input;
  // The times come from the clock of the database: the defaults of the table.
  const [thread] = await tx.$queryRaw<[TimedThread]>`
    INSERT INTO "Thread" AS t ("workspaceId", "id", "title", "assistantId", "owner", "metadata", "forkedFromId")
    VALUES (${ctx.workspaceId}, ${id}, ${title}, ${assistantId}, ${ownerFor(ctx, input.owner)}, ${JSON.stringify(pairs)}::jsonb, ${forkedFromId})
    RETURNING ${timedThreadSql}`;
  await setThreadFiles(ctx, tx, id, input.fileIds);
  return thread;
}

/** Replaces the files of a thread; absent: keeps them. Throws NotFoundError for a file that the actor cannot see. */
async function setThreadFiles(ctx: DomainContext, tx: Transaction, threadId: string, ids: string[] | undefined) {
  if (ids === undefined) return;
  await requireFiles(ctx, tx, ids);
  await tx.threadFile.deleteMany({ where: { threadId } });
  const data = [...new Set(ids)].map((fileId) => ({ workspaceId: ctx.workspaceId, threadId, fileId }));
  if (data.length > 0) await tx.threadFile.createMany({ data });
}

/** Creates a thread with its first messages. */
export async function createThread(ctx: DomainContext, input: unknown): Promise<Thread> {
  requireScope(ctx, 'THREADS_WRITE');
  const thread = parse(threadInput, input);
  const id = newId('Thread');
  await changeThread(ctx, id, (change) => appendMessages(ctx, change, thread.messages ?? []), {
    insert: (tx) => insertThread(ctx, tx, id, thread),
  });
  return ctx.db.thread.findFirstOrThrow({ where: { id } });
}

/**
 * Updates title, assistant, files, metadata or archiving of a thread: absent keeps, null clears. Changes all or nothing. The
 * log keeps the latest change only: its event shows the current thread.
 */
export async function updateThread(ctx: DomainContext, input: unknown): Promise<Thread> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id, archived, fileIds, ...data } = parse(updateInput, input);
  if (!isId('Thread', id)) throw new NotFoundError(id);
  if (data.assistantId) requireUsableAssistant(ctx, data.assistantId);
  return changeThread(ctx, id, async (change) => {
    const { tx, now } = change;
    await requireAssistant(tx, data.assistantId);
    if (archived === true) {
      // Archiving again keeps the time of the first archiving.
      await tx.thread.updateMany({ where: { id, archivedAt: null }, data: { archivedAt: now } });
    }
    const [thread] = await tx.thread.updateManyAndReturn({
      where: { id },
      data: { ...data, ...(archived === false ? { archivedAt: null } : {}) },
    });
    await setThreadFiles(ctx, tx, id, fileIds);
    await tx.event.deleteMany({ where: { threadId: id, type: 'THREAD_CHANGED' } });
    const lastSeq = change.log({ type: 'THREAD_CHANGED' });
    return { ...(thread as Thread), lastSeq };
  });
}

const filterInput = z.object({
  assistantId: absentOr(z.string()),
  owner: absentOr(textUpTo(threadLimits.owner)),
  search: absentOr(textUpTo(inputLimits.search)),
  metadata: absentOr(metadata),
  archived: z.boolean().nullish(),
  lastActiveBefore: absentOr(z.date()),
  lastActiveAfter: absentOr(z.date()),
  createdAfter: absentOr(z.date()),
  createdBefore: absentOr(z.date()),
  hasActiveRun: absentOr(z.boolean()),
  pinned: absentOr(z.boolean()),
});

/** The `where` of a filter over threads. `archived`: true for archived threads, null for all; default: not archived. */
export function threadsWhere(ctx: DomainContext, input: unknown): Prisma.ThreadWhereInput {
  const filter = parse(filterInput, input ?? {});
  const { assistantId, owner, search, metadata, archived, hasActiveRun, pinned } = filter;
  const { lastActiveBefore, lastActiveAfter, createdAfter, createdBefore } = filter;
  return {
    assistantId,
    owner,
    lastActiveAt: { lt: lastActiveBefore, gt: lastActiveAfter },
    ...(createdAfter || createdBefore ? { createdAt: { gt: createdAfter, lt: createdBefore } } : {}),
    ...(hasActiveRun === undefined ? {} : { activeRunId: hasActiveRun ? { not: null } : null }),
    ...(pinned === undefined ? {} : pinnedBy(ctx, pinned)),
    archivedAt: archived === null ? undefined : archived ? { not: null } : null,
    AND: [
      search
        ? { OR: [...searchIn(['title'], search), { messages: { some: { OR: searchIn(['text'], search) } } }] }
        : {},
      ...metadataHolds(metadata ?? {}),
    ],
  };
}
