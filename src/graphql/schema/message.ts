import { requireScope } from '../../domain/access/access.ts';
import { inThreadsVisibleTo } from '../../domain/access/scope.ts';
import { ConflictError, ForbiddenError, InvalidInputError, NotFoundError } from '../../domain/error.ts';
import { deleteMessage, editMessage } from '../../domain/history/edit-message.ts';
import type { Annotation } from '../../domain/thread/annotation.ts';
import { partsOf } from '../../domain/thread/content.ts';
import { createMessage, messagesWhere, updateMessage } from '../../domain/thread/message.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import type { GraphContext } from '../context.ts';
import { childList } from '../list.ts';
import { deletedPayload, resultErrors } from '../result-union.ts';
import { growingTexts } from '../text-loader.ts';
import { MessageContent, type ShownPart } from './content.ts';
import { File, filesOf } from './file.ts';
import { MessageContentInput, MessageInput, MessageRole } from './message-input.ts';
import { OrderDirection } from './scope.ts';
import { Thread } from './thread.ts';

/** Whether a message is whole. */
export const MessageStatus = builder.enumType('MessageStatus', {
  description: 'Whether a message is whole.',
  values: {
    IN_PROGRESS: { description: 'It is being written.' },
    COMPLETED: { description: 'It is whole.' },
    INCOMPLETE: { description: 'It ended early; `incompleteReason` says why.' },
  } as const,
});

/** The text of a message: while it is being written, as far as it has come. */
function textOf(message: { id: string; status: string; text: string }, ctx: GraphContext): string | Promise<string> {
  return message.status === 'IN_PROGRESS'
    ? ctx.load(growingTexts, { ownerId: message.id, channel: 'TEXT' as const })
    : message.text;
}

/** One utterance in a thread. */
export const Message = builder.prismaNode('Message', {
  nullable: true,
  select: {
    id: true,
    threadId: true,
    role: true,
    status: true,
    text: true,
    parts: true,
    position: true,
    createdAt: true,
  },
  description: 'One utterance in a thread.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'THREADS_READ');
    return { workspaceId_id: { workspaceId: ctx.workspaceId, id }, ...inThreadsVisibleTo(ctx.actor) };
  },
  fields: (t) => ({
    thread: t.relation('thread', { description: 'Its thread.' }),
    assistant: t.relation('assistant', { nullable: true, description: 'The assistant that wrote it.' }),
    run: t.relation('run', {
      nullable: true,
      description: 'The run that wrote it; null for messages that were added.',
    }),
    role: t.field({ type: MessageRole, description: 'Whose words it is.', resolve: ({ role }) => role }),
    status: t.field({ type: MessageStatus, description: 'Whether it is whole.', resolve: ({ status }) => status }),
    incompleteReason: t.exposeString('incompleteReason', {
      nullable: true,
      description:
        'Why it ended early: max_tokens, content_filter, run_cancelled, run_expired, run_failed or worker_lost.',
    }),
    content: t.field({
      type: [MessageContent],
      description: 'Its parts, in order.',
      select: { annotations: true },
      resolve: async (message, _args, ctx): Promise<ShownPart[]> => {
        const parts = partsOf({ parts: message.parts, text: await textOf(message, ctx) });
        const annotations = (message.annotations ?? []) as unknown as Annotation[];
        // They are about what a model wrote, which is one text.
        return parts.map((part) => (part.type === 'text' ? { ...part, annotations } : part));
      },
    }),
    text: t.string({
      description: 'Its text parts joined by line breaks: what a chat bubble shows.',
      resolve: (message, _args, ctx) => textOf(message, ctx),
    }),
    attachments: t.field({
      type: [File],
      description: 'Files that came with it, in their order.',
      select: { files: { where: { isAttachment: true }, orderBy: { index: 'asc' }, select: { fileId: true } } },
      resolve: ({ files }, _args, ctx) => filesOf(ctx, files),
    }),
    position: t.int({
      description: '1, 2, 3 … within the thread, in the order received.',
      resolve: ({ position }) => position,
    }),
    flags: t.exposeStringList('flags', { description: 'Marks of content filters.' }),
    editedAt: t.expose('editedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last edited; null: never.',
    }),
    metadata: t.expose('metadata', { type: 'Metadata', description: 'Your own pairs.' }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was added or begun.',
      resolve: ({ createdAt }) => createdAt,
    }),
    completedAt: t.expose('completedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was whole; null: it is not.',
    }),
  }),
});

/** A message in a list. */
export const MessageEdge = builder.edgeObject({
  type: Message,
  name: 'MessageEdge',
  description: 'One message in a list.',
});
/** A page of messages. */
export const MessageConnection = builder.connectionObject(
  { type: Message, name: 'MessageConnection', description: 'A page of messages.' },
  MessageEdge,
);

/** The order of messages within a thread or a run. */
export const messageOrder = (direction: 'ASC' | 'DESC') => ({
  list: 'messages',
  direction,
  columns: [{ name: 'position', type: 'number' as const }],
});

const MessageFilter = builder.inputType('MessageFilter', {
  description: 'Which messages; all conditions hold.',
  fields: (t) => ({
    role: t.field({ type: MessageRole, description: 'Those of this role.' }),
    runId: t.id({ description: 'Those that this run wrote.' }),
    flagged: t.boolean({ description: 'Those with, or without, marks of content filters.' }),
  }),
});

builder.queryField('message', (t) =>
  t.prismaField({
    type: Message,
    nullable: true,
    description: 'A message; null when there is none with this id for you.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'THREADS_READ');
      return isId('Message', id)
        ? ctx.db.message.findFirst({ ...query, where: { id, ...inThreadsVisibleTo(ctx.actor) } })
        : null;
    },
  }),
);

builder.prismaObjectFields(Thread, (t) => ({
  lastMessage: t.field({
    type: Message,
    nullable: true,
    description: 'Its newest message.',
    select: (_args, _ctx, nested) =>
      ({ messages: nested({ orderBy: { position: 'desc' }, take: 1 } as never) }) as never,
    resolve: (thread) => (thread as unknown as { messages: Array<typeof Message.$inferType> }).messages[0] ?? null,
  }),
  messages: t.connection(
    {
      type: Message,
      description: 'Its messages.',
      args: {
        filter: t.arg({ type: MessageFilter, description: 'Which ones; absent: all.' }),
        order: t.arg({ type: OrderDirection, defaultValue: 'DESC', description: 'DESC: the newest first.' }),
      },
      ...childList({
        relation: 'messages',
        model: 'message',
        typeName: 'Message',
        parentColumn: 'threadId',
        order: ({ order }) => messageOrder(order ?? 'DESC'),
        where: ({ filter }) => messagesWhere(filter) as never,
      }),
    },
    MessageConnection,
    MessageEdge,
  ),
}));

const CreateMessageInput = builder.inputType('CreateMessageInput', {
  description: 'A message to add to a thread.',
  fields: (t) => ({
    threadId: t.id({ required: true, description: 'The thread.' }),
    message: t.field({ type: MessageInput, required: true, description: 'The message.' }),
  }),
});

const EditMessageInput = builder.inputType('EditMessageInput', {
  description: 'New content for a message: its text or its content, one of the two.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The message.' }),
    text: t.string({ description: 'Its new text.' }),
    content: t.field({ type: [MessageContentInput], description: 'Its new parts.' }),
  }),
});

const UpdateMessageInput = builder.inputType('UpdateMessageInput', {
  description: 'New pairs for a message.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The message.' }),
    metadata: t.field({ type: 'Metadata', required: true, description: 'The pairs, in place of all there are.' }),
  }),
});

const DeleteMessageInput = builder.inputType('DeleteMessageInput', {
  description: 'A message to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The message.' }) }),
});

const messagePayload = (name: string, description: string) =>
  builder.simpleObject(name, {
    description,
    fields: (t) => ({ message: t.field({ type: Message, nullable: false, description: 'The message as it is now.' }) }),
  });
const CreateMessagePayload = messagePayload('CreateMessagePayload', 'The new message.');
const EditMessagePayload = messagePayload('EditMessagePayload', 'The edited message.');
const UpdateMessagePayload = messagePayload('UpdateMessagePayload', 'The changed message.');

builder.mutationFields((t) => ({
  createMessage: t.field({
    type: CreateMessagePayload,
    description: 'Adds a message to a thread, also while a run holds it: the next run sees it.',
    errors: resultErrors('CreateMessage', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: CreateMessageInput, required: true, description: 'The message and its thread.' }) },
    resolve: async (_root, { input }, ctx) => ({ message: await createMessage(ctx, input) }),
  }),
  editMessage: t.field({
    type: EditMessagePayload,
    description: 'Gives a message new content; runs are cancelled and what followed it is dropped.',
    errors: resultErrors('EditMessage', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: EditMessageInput, required: true, description: 'The new content.' }) },
    resolve: async (_root, { input }, ctx) => ({ message: await editMessage(ctx, input) }),
  }),
  updateMessage: t.field({
    type: UpdateMessagePayload,
    description: "Replaces a message's pairs.",
    errors: resultErrors('UpdateMessage', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdateMessageInput, required: true, description: 'The pairs.' }) },
    resolve: async (_root, { input }, ctx) => ({ message: await updateMessage(ctx, input) }),
  }),
  deleteMessage: t.field({
    type: deletedPayload('DeleteMessagePayload'),
    description: 'Deletes one message; one that is being written is refused.',
    errors: resultErrors('DeleteMessage', [NotFoundError, ConflictError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeleteMessageInput, required: true, description: 'Which one.' }) },
    resolve: async (_root, { input }, ctx) => ({ deletedId: await deleteMessage(ctx, input) }),
  }),
}));
