import { z } from 'zod';
import type { Message, Prisma } from '../db/generated/client.ts';
import { isId, newId } from '../id.ts';
import { requireScope } from './access.ts';
import type { DomainContext } from './context.ts';
import { InvalidInputError, NotFoundError } from './error.ts';
import { absentOr, metadata, parse, textUpTo } from './input.ts';
import { changeThread, type ThreadChange } from './journal.ts';
import { inThreadsVisibleTo } from './scope.ts';

/** A part of a message's content, as its row keeps it. */
export type MessagePart =
  | { type: 'text'; text: string }
  | { type: 'image'; url: string; detail: string | null }
  | { type: 'refusal'; refusal: string };

const maxCharacters = 256_000;
const imageUrl = z
  .string()
  .max(4_000_000, 'At most 4,000,000 characters, please')
  .regex(
    /^(https?:\/\/\S+|data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+)$/,
    'Give an http(s) address or a data: URL of a png, jpeg, gif or webp image',
  )
  .refine((url) => url.startsWith('data:') || URL.canParse(url), 'This is no address');
const part = z.object({
  text: textUpTo(maxCharacters).optional(),
  imageUrl: imageUrl.optional(),
  imageFileId: z.string().optional(),
});
const contentFields = {
  text: absentOr(textUpTo(maxCharacters)),
  content: absentOr(z.array(part).max(100, 'At most 100 parts, please')),
};

interface ContentInput {
  text?: string;
  content?: Array<z.output<typeof part>>;
}

/** What is wrong with the content of a message, at its path; null when nothing is. */
function contentFault({ text, content }: ContentInput): { path: string[]; message: string } | null {
  if ((text === undefined) === (content === undefined))
    return { path: [], message: 'Give text or content, one of the two' };
  if (text !== undefined) return text.trim() === '' ? { path: ['text'], message: 'The text must not be empty' } : null;
  const noFile = content?.findIndex(({ imageFileId }) => imageFileId !== undefined) ?? -1;
  if (noFile >= 0) return { path: ['content', String(noFile), 'imageFileId'], message: 'No file with this id is here' };
  const characters = content?.reduce((sum, { text = '' }) => sum + text.length, 0) ?? 0;
  if (characters > maxCharacters) return { path: ['content'], message: `At most ${maxCharacters} characters, please` };
  const isEmpty = content?.every(({ text, imageUrl }) => !imageUrl && !text?.trim());
  return isEmpty ? { path: ['content'], message: 'The content must not be empty' } : null;
}

const checkContent = (input: ContentInput, check: z.RefinementCtx) => {
  const fault = contentFault(input);
  if (fault) check.addIssue({ code: 'custom', ...fault });
};

/** A message of an input. */
const messageInput = z
  .object({
    role: absentOr(z.enum(['USER', 'ASSISTANT', 'SYSTEM'])),
    ...contentFields,
    fileIds: absentOr(z.array(z.string()).max(0, 'No file with this id is here')),
    metadata: absentOr(metadata),
  })
  .superRefine(checkContent);
/** The messages of an input: at most 100 at once. */
export const messageInputs = z.array(messageInput).max(100, 'At most 100 messages at once, please');
export type MessageInput = z.output<typeof messageInput>;

const createInput = z.object({ threadId: z.string(), message: messageInput });
const editInput = z.object({ id: z.string(), ...contentFields }).superRefine(checkContent);

/** The columns that hold a content: the joined text, and the parts where they are more than one plain text. */
export function contentColumns({ text, content }: ContentInput): { text: string; parts: MessagePart[] | null } {
  if (text !== undefined) return { text, parts: null };
  const parts = (content ?? []).map(
    (part): MessagePart =>
      part.imageUrl !== undefined
        ? { type: 'image', url: part.imageUrl, detail: null }
        : { type: 'text', text: part.text ?? '' },
  );
  const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
  const isPlain = parts.length === 1 && parts[0]?.type === 'text';
  return { text: texts.join('\n'), parts: isPlain ? null : parts };
}

/** The parts of a message's row; one text part for a plain text. */
export function partsOf(message: Pick<Message, 'text' | 'parts'>): MessagePart[] {
  return (message.parts as MessagePart[] | null) ?? [{ type: 'text', text: message.text }];
}

/** Where a message stands in the conversation: an answer behind what its run was asked, whenever it was begun. */
export const placeOf = ({ position, run }: Pick<Message, 'position'> & { run: { inputThrough: number } | null }) =>
  run ? run.inputThrough + 0.5 : position;

/** What the row of a message has before anything is said of it. */
export const emptyMessage = {
  assistantId: null,
  runId: null,
  incompleteReason: null,
  text: '',
  parts: null,
  flags: [] as string[],
  editedAt: null,
  metadata: {},
  completedAt: null,
} as const;

/** Appends messages to the thread that is being changed; returns their rows, which are written with the change. */
export function appendMessages(ctx: DomainContext, change: ThreadChange, inputs: MessageInput[]): Message[] {
  return inputs.map((input) => {
    const message: Message = {
      ...emptyMessage,
      ...contentColumns(input),
      flags: [],
      workspaceId: ctx.workspaceId,
      id: newId('Message'),
      threadId: change.thread.id,
      role: input.role ?? 'USER',
      status: 'COMPLETED',
      position: change.position(),
      metadata: input.metadata ?? {},
      createdAt: change.now,
      completedAt: change.now,
    };
    change.pending.insert('Message', message);
    change.log({ type: 'MESSAGE_ADDED', messageId: message.id }, { message });
    change.thread.lastActiveAt = change.now;
    return message;
  });
}

/** Adds a message to a thread, also while a run holds it: that run does not see it, the next one does. */
export async function createMessage(ctx: DomainContext, input: unknown): Promise<Message> {
  requireScope(ctx, 'THREADS_WRITE');
  const { threadId, message } = parse(createInput, input);
  if (!isId('Thread', threadId)) throw new NotFoundError(threadId);
  return changeThread(ctx, threadId, async (change) => {
    const [created] = appendMessages(ctx, change, [message]);
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

/** The input of an edit: the id and the new columns. */
export function parseEdit(input: unknown): { id: string; columns: ReturnType<typeof contentColumns> } {
  const { id, ...content } = parse(editInput, input);
  return { id, columns: contentColumns(content) };
}

/** The thread of a message that the actor sees. Throws NotFoundError. */
export async function threadOfMessage(ctx: DomainContext, id: string): Promise<string> {
  const message = isId('Message', id)
    ? await ctx.db.message.findFirst({ where: { id, ...inThreadsVisibleTo(ctx.actor) }, select: { threadId: true } })
    : null;
  if (!message) throw new NotFoundError(id);
  return message.threadId;
}

/** Removes messages from the thread that is being changed, and from its log what can no longer be shown. */
export async function removeMessages(change: ThreadChange, where: Prisma.MessageWhereInput): Promise<void> {
  const gone = await change.tx.message.findMany({
    where: { ...where, threadId: change.thread.id },
    select: { id: true },
    orderBy: { position: 'asc' },
  });
  if (gone.length === 0) return;
  const ids = gone.map(({ id }) => id);
  await change.tx.event.deleteMany({ where: { threadId: change.thread.id, messageId: { in: ids } } });
  await change.tx.message.deleteMany({ where: { id: { in: ids } } });
  for (const messageId of ids) change.log({ type: 'MESSAGE_REMOVED', messageId });
}

const filterInput = z.object({
  role: absentOr(z.enum(['USER', 'ASSISTANT', 'SYSTEM'])),
  runId: absentOr(z.string()),
  flagged: absentOr(z.boolean()),
});

/** The `where` of a filter over messages. */
export function messagesWhere(input: unknown): Prisma.MessageWhereInput {
  const { role, runId, flagged } = parse(filterInput, input ?? {});
  if (runId !== undefined && !isId('Run', runId)) throw InvalidInputError.at('filter.runId', 'This is no run id.');
  return { role, runId, ...(flagged === undefined ? {} : { flags: { isEmpty: !flagged } }) };
}
