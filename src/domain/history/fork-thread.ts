import { z } from 'zod';
import type { Message, MessageFile, Prisma, Run, Thread } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { threadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError, NotFoundError } from '../error.ts';
import { clearable, metadata, parse, textUpTo } from '../input.ts';
import { threadLimits } from '../limits.ts';
import { changeThread, type ThreadChange } from '../log/thread-change.ts';
import { conversationOrder, threadOfMessage } from '../thread/message.ts';
import { insertThread } from '../thread/thread.ts';
import { withInputThrough } from './conversation-order.ts';
import { lockSourceThread, shareFiles } from './forked-file.ts';

const forkInput = z.object({
  throughMessageId: z.string(),
  title: clearable(textUpTo(threadLimits.title)),
  metadata: metadata.nullish(),
});

/**
 * Creates a thread with copies of the messages up to one of another thread, with the same owner and assistant and a link
 * to that message. Throws ConflictError while one of these messages is being written.
 */
export async function forkThread(ctx: DomainContext, input: unknown): Promise<Thread> {
  requireScope(ctx, 'THREADS_WRITE');
  const { throughMessageId, title, metadata: pairs } = parse(forkInput, input);
  const sourceId = await threadOfMessage(ctx, throughMessageId);
  const source = await ctx.db.thread.findFirst({ where: { id: sourceId, ...threadsVisibleTo(ctx.actor) } });
  if (!source) throw new NotFoundError(throughMessageId);
  const messages = await readMessages(ctx, sourceId, throughMessageId);
  const id = newId('Thread');
  const fork = inheritedColumns(source);
  if (title !== undefined) fork.title = title;
  if (pairs) fork.metadata = pairs;
  await changeThread(ctx, id, (change) => copyMessages(ctx, change, sourceId, messages), {
    insert: async (tx) => {
      // The source is locked first, in the same order as by its deletion.
      await lockSourceThread(tx, ctx.workspaceId, sourceId);
      return insertThread(ctx, tx, id, { ...fork, forkedFromId: throughMessageId });
    },
  });
  return ctx.db.thread.findFirstOrThrow({ where: { id } });
}

/** The columns that a fork does not inherit from its source. */
type OwnColumn =
  | 'workspaceId'
  | 'id'
  | 'createdAt'
  | 'lastActiveAt'
  | 'archivedAt'
  | 'deletedAt'
  | 'activeRunId'
  | 'forkedFromId'
  | 'lastSeq'
  | 'lastPosition'
  | 'lastRun';

/** The columns that a fork inherits from its source. */
function inheritedColumns({ title, assistantId, owner, metadata, ...others }: Omit<Thread, OwnColumn>) {
  // A new column of Thread does not compile here until it is inherited, or added to `OwnColumn`.
  others satisfies Record<string, never>;
  return { title, assistantId, owner, metadata: metadata as Record<string, string> };
}

type SourceMessage = Message & { run: Pick<Run, 'inputThrough'> | null; files: MessageFile[] };

/** The messages of a thread up to one of them, in the order of the conversation. */
async function readMessages(ctx: DomainContext, threadId: string, throughId: string): Promise<SourceMessage[]> {
  const rows = await ctx.db.message.findMany({
    where: { threadId },
    include: { ...withInputThrough, files: true },
    orderBy: { position: 'asc' },
  });
  const inOrder = rows.sort((one, other) => conversationOrder(one) - conversationOrder(other));
  const messages = inOrder.slice(0, inOrder.findIndex(({ id }) => id === throughId) + 1);
  if (messages.some(({ status }) => status === 'IN_PROGRESS')) {
    throw new ConflictError('A message up to this one is still being written. Wait for its run, or cancel it.');
  }
  return messages;
}

/** Copies messages with their files to the thread of the change. */
async function copyMessages(
  ctx: DomainContext,
  change: ThreadChange,
  sourceId: string,
  messages: SourceMessage[],
): Promise<void> {
  const threadId = change.thread.id;
  const copies = messages.map(({ runId: _runId, run: _run, ...message }) => ({
    ...message,
    id: newId('Message'),
    threadId,
    ...{ clientId: null, feedback: null, feedbackComment: null, feedbackBy: null, feedbackAt: null },
    position: change.position(),
    parts: message.parts ?? undefined,
    annotations: message.annotations ?? undefined,
    metadata: message.metadata as Prisma.InputJsonValue,
  }));
  await change.tx.message.createMany({ data: copies.map(({ files: _files, ...message }) => message) });
  const files = copies.flatMap(({ id: messageId, files }) => files.map((file) => ({ ...file, messageId })));
  if (files.length > 0) await change.tx.messageFile.createMany({ data: files });
  await shareFiles(ctx, change.tx, [sourceId, threadId], copies);
  for (const copy of copies) change.log({ type: 'MESSAGE_ADDED', messageId: copy.id });
}
