import { z } from 'zod';
import { type Message, Prisma } from '../../db/generated/client.ts';
import { requireScope } from '../access/access.ts';
import { requireOverride } from '../access/user-rights.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError, NotFoundError } from '../error.ts';
import { parse } from '../input.ts';
import { changeThread } from '../log/thread-change.ts';
import { cancelUnfinishedRuns } from '../run/run.ts';
import { filesIn } from '../thread/content.ts';
import { parseEdit, removeMessages, threadOfMessage } from '../thread/message.ts';
import { replaceShownFiles } from '../thread/message-file.ts';
import { messagesAfter, withInputThrough } from './conversation-order.ts';

/** Replaces the content of a message. Cancels the thread's runs first, and removes the messages after it. */
export async function editMessage(ctx: DomainContext, input: unknown): Promise<Message> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id, columns } = parseEdit(input);
  return changeThread(ctx, await threadOfMessage(ctx, id), async (change) => {
    await cancelUnfinishedRuns(ctx, change);
    const message = await change.tx.message.findFirst({ where: { id }, include: withInputThrough });
    if (!message) throw new NotFoundError(id);
    requireChangeable(ctx, message);
    await removeMessages(change, messagesAfter(message));
    const data = { text: columns.text, parts: (columns.parts ?? Prisma.DbNull) as Prisma.InputJsonValue };
    await replaceShownFiles(ctx, change, id, filesIn(columns.parts));
    await change.tx.message.updateMany({
      where: { id },
      data: { ...data, annotations: Prisma.DbNull, editedAt: change.now },
    });
    change.log({ type: 'MESSAGE_REMOVED', messageId: id });
    change.log({ type: 'MESSAGE_ADDED', messageId: id });
    change.thread.lastActiveAt = change.now;
    return change.tx.message.findFirstOrThrow({ where: { id } });
  });
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
