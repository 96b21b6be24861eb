import { z } from 'zod';
import { FeedbackRating, type Message, type Prisma } from '../../db/generated/client.ts';
import { isId, newId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { inThreadsVisibleTo } from '../access/scope.ts';
import { requireOverride } from '../access/user-rights.ts';
import type { DomainContext } from '../context.ts';
import { InvalidInputError, NotFoundError } from '../error.ts';
import { absentOr, listUpTo, metadata, metadataHolds, parse, textUpTo } from '../input.ts';
import { messageLimits, threadLimits } from '../limits.ts';
import { changeThread, type ThreadChange } from '../log/thread-change.ts';
import { requireRoom } from '../quota.ts';
import { checkContent, contentColumns, contentFields, filesIn } from './content.ts';
import { addFiles, type FilesOfMessage } from './message-file.ts';

/** A message in an input. */
const messageInput = z
  .object({
    role: absentOr(z.enum(['USER', 'ASSISTANT', 'SYSTEM'])),
    ...contentFields,
    fileIds: absentOr(listUpTo(z.string(), messageLimits.files, 'files')),
    metadata: absentOr(metadata),
    clientId: absentOr(textUpTo(messageLimits.clientId).min(1, 'Must not be empty')),
  })
  .superRefine(checkContent);
/** The messages of an input. */
export const messageInputs = listUpTo(messageInput, messageLimits.perInput, 'messages');
export type MessageInput = z.output<typeof messageInput>;

const createInput = z.object({ threadId: z.string(), message: messageInput });
/** The new content of a message in an input. */
export const editInput = z.object({ id: z.string(), ...contentFields }).superRefine(checkContent);

/**
 * The sort key of a message in the conversation. The answer of a run follows the run's input, whenever it was written.
 */
export const conversationOrder = ({
  position,
  run,
}: Pick<Message, 'position'> & { run: { inputThrough: number } | null }) => (run ? run.inputThrough + 0.5 : position);

/** The columns of an empty message. */
export const emptyMessage = {
  assistantId: null,
  runId: null,
  incompleteReason: null,
  text: '',
  parts: null,
  annotations: null,
  flags: [] as string[],
  clientId: null,
  feedback: null,
  feedbackComment: null,
  feedbackBy: null,
  feedbackAt: null,
  editedAt: null,
  metadata: {},
  completedAt: null,
} as const;

/**
 * Appends messages to the thread of the change. Returns their rows, which are written with the change.
 * Throws NotFoundError for a file that the actor cannot see, ForbiddenError for a SYSTEM message that is not open to it, and
 * InvalidInputError for a `clientId` that another message of the thread has.
 */
export async function appendMessages(
  ctx: DomainContext,
  change: ThreadChange,
  inputs: MessageInput[],
): Promise<Message[]> {
  requireRoom(change.thread.lastPosition, threadLimits.messages, 'messages in a thread', inputs.length);
  if (inputs.some(({ role }) => role === 'SYSTEM')) {
    requireOverride(ctx, 'SYSTEM_MESSAGES', 'add messages with the role SYSTEM');
  }
  await requireNewClientIds(change, inputs);
  const files: FilesOfMessage[] = [];
  const messages = inputs.map((input) => {
    const columns = contentColumns(input);
    const message: Message = {
      ...emptyMessage,
      ...columns,
      flags: [],
      workspaceId: ctx.workspaceId,
      id: newId('Message'),
      threadId: change.thread.id,
      role: input.role ?? 'USER',
      status: 'COMPLETED',
      position: change.position(),
      clientId: input.clientId ?? null,
      metadata: input.metadata ?? {},
      createdAt: change.now,
      completedAt: change.now,
    };
    change.pending.insert('Message', message);
    change.log({ type: 'MESSAGE_ADDED', messageId: message.id }, { message });
    change.thread.lastActiveAt = change.now;
    files.push({ messageId: message.id, attached: input.fileIds ?? [], shown: filesIn(columns.parts) });
    return message;
  });
  await addFiles(ctx, change, files);
  return messages;
}

async function requireNewClientIds(change: ThreadChange, inputs: MessageInput[]): Promise<void> {
  const names = inputs.flatMap(({ clientId }) => clientId ?? []);
  if (names.length === 0) return;
  const where = { threadId: change.thread.id, clientId: { in: names } };
  const taken = await change.tx.message.findMany({ where, select: { clientId: true } });
  const seen = new Set(taken.map(({ clientId }) => clientId));
  for (const [index, { clientId }] of inputs.entries()) {
    if (clientId === undefined) continue;
    if (seen.has(clientId)) {
      const path = ['messages', String(index), 'clientId'];
      throw new InvalidInputError([{ path, message: 'Another message of the thread has this clientId.' }]);
    }
    seen.add(clientId);
  }
}

/**
 * Adds a message to a thread. A run that is unfinished does not read it; the next run does. A second message with the same
 * `clientId` is not added: the first one is returned.
 */
export async function createMessage(ctx: DomainContext, input: unknown): Promise<Message> {
  requireScope(ctx, 'THREADS_WRITE');
  const { threadId, message } = parse(createInput, input);
  if (!isId('Thread', threadId)) throw new NotFoundError(threadId);
  const { clientId } = message;
  return changeThread(ctx, threadId, async (change) => {
    const first = clientId && (await change.tx.message.findFirst({ where: { threadId, clientId } }));
    if (first) return first;
    const [created] = await appendMessages(ctx, change, [message]);
    return created as Message;
  });
}

/** Replaces a message's metadata. */
export async function updateMessage(ctx: DomainContext, input: unknown): Promise<Message> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id, metadata: pairs } = parse(z.object({ id: z.string(), metadata }), input);
  if (!isId('Message', id)) throw new NotFoundError(id);
  const [message] = await ctx.db.message.updateManyAndReturn({
    where: { id, ...inThreadsVisibleTo(ctx.actor) },
    data: { metadata: pairs },
  });
  if (!message) throw new NotFoundError(id);
  return message;
}

/** The ID of a message's thread. Throws NotFoundError unless the actor can see the message. */
export async function threadOfMessage(ctx: DomainContext, id: string): Promise<string> {
  const message = isId('Message', id)
    ? await ctx.db.message.findFirst({ where: { id, ...inThreadsVisibleTo(ctx.actor) }, select: { threadId: true } })
    : null;
  if (!message) throw new NotFoundError(id);
  return message.threadId;
}

/** Removes messages from the thread of the change, and their events from its log. */
export async function removeMessages(change: ThreadChange, where: Prisma.MessageWhereInput): Promise<void> {
  const rows = await change.tx.message.findMany({
    where: { ...where, threadId: change.thread.id },
    select: { id: true },
    orderBy: { position: 'asc' },
  });
  if (rows.length === 0) return;
  const ids = rows.map(({ id }) => id);
  await change.tx.event.deleteMany({ where: { threadId: change.thread.id, messageId: { in: ids } } });
  await change.tx.message.deleteMany({ where: { id: { in: ids } } });
  for (const messageId of ids) change.log({ type: 'MESSAGE_REMOVED', messageId });
}

const filterInput = z.object({
  role: absentOr(z.enum(['USER', 'ASSISTANT', 'SYSTEM'])),
  runId: absentOr(z.string()),
  flagged: absentOr(z.boolean()),
  metadata: absentOr(metadata),
  createdAfter: absentOr(z.date()),
  createdBefore: absentOr(z.date()),
  feedback: absentOr(z.enum(FeedbackRating)),
});

/** The `where` of a filter over messages. */
export function messagesWhere(input: unknown): Prisma.MessageWhereInput {
  const filter = parse(filterInput, input ?? {});
  const { role, runId, flagged, metadata: pairs, createdAfter, createdBefore, feedback } = filter;
  if (runId !== undefined && !isId('Run', runId))
    throw InvalidInputError.at('filter.runId', 'Must be the ID of a run.');
  return {
    role,
    runId,
    feedback,
    ...(flagged === undefined ? {} : { flags: { isEmpty: !flagged } }),
    ...(createdAfter || createdBefore ? { createdAt: { gt: createdAfter, lt: createdBefore } } : {}),
    ...(pairs ? { AND: metadataHolds(pairs) } : {}),
  };
}
