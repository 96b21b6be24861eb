import { z } from 'zod';
import { type Message, Prisma, type Run } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { requireOverride } from '../access/user-rights.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError, NotFoundError } from '../error.ts';
import { parse } from '../input.ts';
import { changeThread, type ThreadChange } from '../log/thread-change.ts';
import { createRun, requireIdle } from '../run/create-run.ts';
import { cancelUnfinishedRuns } from '../run/run.ts';
import { contentColumns, filesIn } from '../thread/content.ts';
import { editInput, removeMessages, threadOfMessage } from '../thread/message.ts';
import { replaceShownFiles } from '../thread/message-file.ts';
import { messagesAfter, withInputThrough } from './conversation-order.ts';

/** Replaces the content of a message. Cancels the thread's runs first, and removes the messages after it. */
export async function editMessage(ctx: DomainContext, input: unknown): Promise<Message> {
  requireScope(ctx, 'THREADS_WRITE');
  const edit = parse(editInput, input);
  return changeThread(ctx, await threadOfMessage(ctx, edit.id), (change) => replaceContent(ctx, change, edit));
}

const newRunInput = z.object({ threadId: z.string(), editMessage: editInput, whenBusy: z.string().nullish() });

/**
 * Edits a message of a thread and creates a run after it, in one transaction: the input of `createRun` with `editMessage`. The
 * unfinished runs are cancelled, unless `whenBusy` is REJECT. Throws as both do.
 */
export async function editAndRun(ctx: DomainContext, input: object): Promise<Run> {
  requireScope(ctx, 'THREADS_WRITE');
  const { editMessage: edit, whenBusy } = parse(newRunInput, input);
  return createRun(ctx, input, async (change) => {
    if (whenBusy === 'REJECT') await requireIdle(change);
    await replaceContent(ctx, change, edit);
  });
}

/** Replaces the content of a message of the thread of the change. */
async function replaceContent(
  ctx: DomainContext,
  change: ThreadChange,
  { id, ...content }: z.output<typeof editInput>,
): Promise<Message> {
  await cancelUnfinishedRuns(ctx, change);
  const where = { id, threadId: change.thread.id };
  const message = isId('Message', id) && (await change.tx.message.findFirst({ where, include: withInputThrough }));
  if (!message) throw new NotFoundError(id);
  requireChangeable(ctx, message);
  await removeMessages(change, messagesAfter(message));
  const { text, parts } = contentColumns(content);
  await replaceShownFiles(ctx, change, id, filesIn(parts));
  await change.tx.message.updateMany({
    where: { id },
    data: {
      text,
      parts: (parts ?? Prisma.DbNull) as Prisma.InputJsonValue,
      annotations: Prisma.DbNull,
      editedAt: change.now,
    },
  });
  change.log({ type: 'MESSAGE_REMOVED', messageId: id });
  change.log({ type: 'MESSAGE_ADDED', messageId: id });
  change.thread.lastActiveAt = change.now;
  return change.tx.message.findFirstOrThrow({ where: { id } });
}

/** Throws ForbiddenError for a SYSTEM message, unless it is open to the actor. */
function requireChangeable(ctx: DomainContext, { role }: Message): void {
  if (role === 'SYSTEM') requireOverride(ctx, 'SYSTEM_MESSAGES', 'change messages with the role SYSTEM');
}

/** A message that was deleted, and its thread. */
export interface DeletedMessage {
  deletedId: string;
  threadId: string;
}

/** Deletes a message. Throws ConflictError while it is being written. */
export async function deleteMessage(ctx: DomainContext, input: unknown): Promise<DeletedMessage> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id } = parse(z.object({ id: z.string() }), input);
  const threadId = await threadOfMessage(ctx, id);
  return changeThread(ctx, threadId, async (change) => {
    const message = await change.tx.message.findFirst({ where: { id } });
    if (!message) throw new NotFoundError(id);
    requireChangeable(ctx, message);
    if (message.status === 'IN_PROGRESS')
      throw new ConflictError('The message is still being written. Cancel its run first.');
    await removeMessages(change, { id });
    return { deletedId: id, threadId };
  });
}
