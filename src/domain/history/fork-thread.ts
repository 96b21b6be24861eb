import { z } from 'zod';
import type { Prisma, Thread } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { threadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError, NotFoundError } from '../error.ts';
import { clearable, metadata, parse, textUpTo } from '../input.ts';
import { changeThread } from '../log/thread-change.ts';
import { conversationOrder, threadOfMessage } from '../thread/message.ts';
import { insertThread } from '../thread/thread.ts';
import { withInputThrough } from './conversation-order.ts';
import { lockSourceThread, shareFiles } from './forked-file.ts';

const forkInput = z.object({
  throughMessageId: z.string(),
  title: clearable(textUpTo(256)),
  metadata: metadata.nullish(),
});

/** A new thread with copies of the messages up to one, the same owner and assistant, and a link to that message. */
export async function forkThread(ctx: DomainContext, input: unknown): Promise<Thread> {
  requireScope(ctx, 'THREADS_WRITE');
  const { throughMessageId, title, metadata: pairs } = parse(forkInput, input);
  const sourceId = await threadOfMessage(ctx, throughMessageId);
  const source = await ctx.db.thread.findFirst({ where: { id: sourceId, ...threadsVisibleTo(ctx.actor) } });
  if (!source) throw new NotFoundError(throughMessageId);
  const all = await ctx.db.message.findMany({
    where: { threadId: sourceId },
    include: { ...withInputThrough, files: true },
    orderBy: { position: 'asc' },
  });
  const inOrder = all.sort((one, other) => conversationOrder(one) - conversationOrder(other));
  const messages = inOrder.slice(0, inOrder.findIndex(({ id }) => id === throughMessageId) + 1);
  if (messages.some(({ status }) => status === 'IN_PROGRESS')) {
    throw new ConflictError('A message up to that one is being written. Wait for its run, or cancel it.');
  }
  const id = newId('Thread');
  await changeThread(
    ctx,
    id,
    async (change) => {
      const copies = messages.map(({ runId: _runId, run: _run, files, ...message }) => ({
        ...message,
        files,
        id: newId('Message'),
        threadId: id,
        position: change.position(),
        parts: message.parts ?? undefined,
        annotations: message.annotations ?? undefined,
        metadata: message.metadata as Prisma.InputJsonValue,
      }));
      await change.tx.message.createMany({ data: copies.map(({ files: _files, ...message }) => message) });
      const files = copies.flatMap(({ id: messageId, files }) => files.map((file) => ({ ...file, messageId })));
      if (files.length > 0) await change.tx.messageFile.createMany({ data: files });
      await shareFiles(ctx, change.tx, [sourceId, id], copies);
      for (const copy of copies) change.log({ type: 'MESSAGE_ADDED', messageId: copy.id });
    },
    {
      insert: async (tx) => {
        // Before anything else of it is touched: whoever deletes it takes it in the same order.
        await lockSourceThread(tx, ctx.workspaceId, sourceId);
        return insertThread(ctx, tx, id, {
          title: title === undefined ? source.title : title,
          assistantId: source.assistantId,
          owner: source.owner,
          metadata: (pairs ?? source.metadata) as Record<string, string>,
          forkedFromId: throughMessageId,
        });
      },
    },
  );
  return ctx.db.thread.findFirstOrThrow({ where: { id } });
}
