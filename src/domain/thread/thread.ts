import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import type { Prisma, Thread } from '../../db/generated/client.ts';
import { isId, newId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { threadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import { ForbiddenError, NotFoundError } from '../error.ts';
import { fileIds, requireFiles } from '../file/file.ts';
import { absentOr, clearable, metadata, metadataHolds, parse, searchIn, textUpTo } from '../input.ts';
import { changeThread, type LockedThread, lockedColumns } from '../log/thread-change.ts';
import { appendMessages, messageInputs } from './message.ts';

const title = clearable(textUpTo(256));
/** A thread of an input. */
export const threadInput = z.object({
  title,
  assistantId: clearable(z.string()),
  owner: clearable(z.string().min(1, 'An owner must not be empty').max(256)),
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

/** The owner of a thread that the actor makes: an end user owns their own and nobody else's. */
function ownerFor(ctx: DomainContext, owner: string | null | undefined): string | null {
  if (ctx.actor.kind !== 'USER') return owner ?? null;
  if (owner && owner !== ctx.actor.userId) throw new ForbiddenError(null, 'An end user owns their own threads only.');
  return ctx.actor.userId;
}

/** Throws NotFoundError unless the assistant is there. */
async function requireAssistant(tx: Pick<Transaction, 'assistant'>, id: string | null | undefined): Promise<void> {
  if (id === null || id === undefined) return;
  const found = isId('Assistant', id) && (await tx.assistant.findFirst({ where: { id }, select: { id: true } }));
  if (!found) throw new NotFoundError(id);
}

/** Inserts the row of a new thread, and returns what a change needs of it, which appends its messages. */
export async function insertThread(
  ctx: DomainContext,
  tx: Transaction,
  id: string,
  input: ThreadInput & { forkedFromId?: string },
): Promise<LockedThread> {
  await requireAssistant(tx, input.assistantId);
  const thread = await tx.thread.create({
    select: lockedColumns,
    data: {
      workspaceId: ctx.workspaceId,
      id,
      title: input.title,
      assistantId: input.assistantId,
      owner: ownerFor(ctx, input.owner),
      metadata: input.metadata ?? {},
      forkedFromId: input.forkedFromId,
    },
  });
  await setThreadFiles(ctx, tx, id, input.fileIds);
  return thread;
}

/** Gives a thread its files in place of those it has; absent: it keeps them. Throws NotFoundError. */
async function setThreadFiles(ctx: DomainContext, tx: Transaction, threadId: string, ids: string[] | undefined) {
  if (ids === undefined) return;
  await requireFiles(ctx, tx, ids);
  await tx.threadFile.deleteMany({ where: { threadId } });
  const data = [...new Set(ids)].map((fileId) => ({ workspaceId: ctx.workspaceId, threadId, fileId }));
  if (data.length > 0) await tx.threadFile.createMany({ data });
}

/** Makes a thread with its first messages. */
export async function createThread(ctx: DomainContext, input: unknown): Promise<Thread> {
  requireScope(ctx, 'THREADS_WRITE');
  const thread = parse(threadInput, input);
  const id = newId('Thread');
  await changeThread(ctx, id, (change) => appendMessages(ctx, change, thread.messages ?? []), {
    insert: (tx) => insertThread(ctx, tx, id, thread),
  });
  return ctx.db.thread.findFirstOrThrow({ where: { id } });
}

/** Changes title, assistant, metadata, or whether the thread is archived: absent keeps, null clears. */
export async function updateThread(ctx: DomainContext, input: unknown): Promise<Thread> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id, archived, fileIds, ...data } = parse(updateInput, input);
  if (!isId('Thread', id)) throw new NotFoundError(id);
  await requireAssistant(ctx.db, data.assistantId);
  const where = { id, ...threadsVisibleTo(ctx.actor) };
  if (archived === true) {
    // The moment of the first archiving stays.
    await ctx.db.thread.updateMany({ where: { ...where, archivedAt: null }, data: { archivedAt: new Date() } });
  }
  const [thread] = await ctx.db.thread.updateManyAndReturn({
    where,
    data: { ...data, ...(archived === false ? { archivedAt: null } : {}) },
  });
  if (!thread) throw new NotFoundError(id);
  if (fileIds) await ctx.db.$transaction((tx) => setThreadFiles(ctx, tx, id, fileIds));
  return thread;
}

const filterInput = z.object({
  assistantId: absentOr(z.string()),
  owner: absentOr(textUpTo(256)),
  search: absentOr(textUpTo(1000)),
  metadata: absentOr(metadata),
  archived: z.boolean().nullish(),
  lastActiveBefore: absentOr(z.date()),
  lastActiveAfter: absentOr(z.date()),
});

/** The `where` of a filter over threads. Archived ones are left out unless asked for; `archived: null` finds both. */
export function threadsWhere(input: unknown): Prisma.ThreadWhereInput {
  const { assistantId, owner, search, metadata, archived, lastActiveBefore, lastActiveAfter } = parse(
    filterInput,
    input ?? {},
  );
  return {
    assistantId,
    owner,
    lastActiveAt: { lt: lastActiveBefore, gt: lastActiveAfter },
    archivedAt: archived === null ? undefined : archived ? { not: null } : null,
    AND: [
      search
        ? { OR: [...searchIn(['title'], search), { messages: { some: { OR: searchIn(['text'], search) } } }] }
        : {},
      ...metadataHolds(metadata ?? {}),
    ],
  };
}
