import { requireScope } from '../../domain/access/access.ts';
import { inThreadsVisibleTo, unlessKey } from '../../domain/access/scope.ts';
import type { Contents } from '../../domain/contents.ts';
import type { Annotation } from '../../domain/thread/annotation.ts';
import { partsOf } from '../../domain/thread/content.ts';
import { messagesWhere } from '../../domain/thread/message.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import type { Condition } from '../connection.ts';
import { contentOf, showing } from '../contents.ts';
import type { GraphContext } from '../context.ts';
import { hideDeleted } from '../hide-deleted.ts';
import { listOf } from '../list-of.ts';
import { orderingsOf } from '../list-order.ts';
import { metadataDescription } from '../scalar.ts';
import { growingText } from '../text-loader.ts';
import { assistantOf } from './assistant.ts';
import { MessageContent, type ShownPart } from './content.ts';
import { FeedbackRatingEnum } from './feedback-rating.ts';
import { File, filesOf } from './file.ts';
import { MessageIncompleteReason } from './message-incomplete-reason.ts';
import { MessageRole } from './message-input.ts';
import { Thread } from './thread.ts';

/** The progress of a message. */
export const MessageStatus = builder.enumType('MessageStatus', {
  description: 'The progress of a message.',
  values: {
    IN_PROGRESS: { description: 'A run is writing the message.' },
    COMPLETED: { description: 'The message is complete.' },
    INCOMPLETE: { description: 'The message ended early; see `incompleteReason`.' },
  } as const,
});

type Row = { id: string; status: string } & Partial<Contents<'Message'>>;

/** The text of a message; while a run writes it, the text so far. */
function textOf(message: Row, ctx: GraphContext): string | Promise<string> {
  return message.status === 'IN_PROGRESS'
    ? growingText(ctx, { ownerId: message.id, channel: 'TEXT' })
    : contentOf(ctx, 'Message', message, 'text');
}

/** A message of a thread. */
export const Message = builder.prismaNode('Message', {
  nullable: true,
  select: {
    id: true,
    threadId: true,
    role: true,
    status: true,
    position: true,
    flags: true,
    clientId: true,
    incompleteReason: true,
    createdAt: true,
    editedAt: true,
    completedAt: true,
  },
  description: 'A message of a thread, from a person, a model or the application.',
  id: { resolve: ({ id }) => id, description: 'Message id: `msg_` and a UUIDv7 (TypeID).' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'THREADS_READ');
    return {
      workspaceId_id: { workspaceId: ctx.workspaceId, id },
      ...unlessKey(ctx.actor, inThreadsVisibleTo(ctx.actor)),
    };
  },
  fields: (t) => ({
    thread: t.relation('thread', { description: 'The thread that contains the message.' }),
    assistant: t.field(
      assistantOf(
        'The assistant whose run wrote the message. Null: no run wrote it, the run has no assistant, or the assistant was deleted.',
      ),
    ),
    run: t.relation('run', {
      nullable: true,
      description: 'The run that wrote the message. Null: a client added it, or it was copied by a fork.',
    }),
    role: t.field({ type: MessageRole, description: 'The author of the message.', resolve: ({ role }) => role }),
    status: t.field({
      type: MessageStatus,
      description: 'The progress of the message.',
      resolve: ({ status }) => status,
    }),
    incompleteReason: t.field({
      type: MessageIncompleteReason,
      nullable: true,
      description: 'Why the message ended early. Null: it did not.',
      resolve: ({ incompleteReason }) => incompleteReason as typeof MessageIncompleteReason.$inferType | null,
    }),
    content: t.field({
      type: [MessageContent],
      description: 'The parts of the message, in order. While a run writes it, one text part with the text so far.',
      ...showing('Message', 'text', 'parts', 'annotations'),
      resolve: async (message, _args, ctx): Promise<ShownPart[]> => {
        const text = await textOf(message, ctx);
        const parts = partsOf({ parts: await contentOf(ctx, 'Message', message, 'parts'), text });
        const annotations = ((await contentOf(ctx, 'Message', message, 'annotations')) ??
          []) as unknown as Annotation[];
        // Only messages of models have annotations, and these have one text part.
        return parts.map((part) => (part.type === 'text' ? { ...part, annotations } : part));
      },
    }),
    text: t.string({
      description:
        'The text parts, joined by line breaks: the text to show in a chat. While a run writes the message, the text so far.',
      ...showing('Message', 'text'),
      resolve: (message, _args, ctx) => textOf(message, ctx),
    }),
    attachments: t.field({
      type: [File],
      description: 'The files that are attached to the message, in order. Images within the content are in `content`.',
      select: { files: { where: { isAttachment: true }, orderBy: { index: 'asc' }, select: { fileId: true } } },
      resolve: ({ files }, _args, ctx) => filesOf(ctx, files),
    }),
    position: t.int({
      description: 'The position in the thread: 1, 2, 3 … in the order of arrival. Deletions leave gaps.',
      resolve: ({ position }) => position,
    }),
    flags: t.exposeStringList('flags', {
      description: 'The categories that content filters flagged in the message. Empty: none.',
    }),
    clientId: t.exposeString('clientId', {
      nullable: true,
      description:
        'The `clientId` with which a client sent the message: find the optimistic message that this one replaces. Null: none.',
    }),
    editedAt: t.expose('editedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the message was last edited. Null: never.',
    }),
    metadata: t.expose('metadata', { type: 'Metadata', description: metadataDescription }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When the message was added, or a run began to write it.',
      resolve: ({ createdAt }) => createdAt,
    }),
    completedAt: t.expose('completedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the message was completed. Null: it is being written, or ended early.',
    }),
  }),
});
hideDeleted(Message, 'Message');

const MessageFilter = builder.inputType('MessageFilter', {
  description: 'Selects messages that meet all of the given conditions.',
  fields: (t) => ({
    role: t.field({ type: MessageRole, description: 'The author of the message.' }),
    runId: t.id({
      description: 'The run that wrote the message. An id that is not a run id is refused with BAD_USER_INPUT.',
    }),
    metadata: t.field({ type: 'Metadata', description: 'Pairs that the metadata contains.' }),
    createdAfter: t.field({ type: 'DateTime', description: 'Only messages that were created later.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Only messages that were created earlier.' }),
    feedback: t.field({ type: FeedbackRatingEnum, description: 'The rating of the feedback on the message.' }),
    flagged: t.boolean({
      description: 'true: only messages that a content filter flagged; false: only messages that none flagged.',
    }),
  }),
});

const byPosition = orderingsOf({
  list: 'messages',
  typeName: 'Message',
  fields: {
    POSITION: {
      name: 'position',
      type: 'number',
      isUnique: true,
      description: 'The position of the message in its thread.',
    },
  },
  field: 'POSITION',
  direction: null,
});

/** The lists of messages. */
export const messages = listOf(Message, {
  model: 'message',
  noun: 'message',
  filter: { type: MessageFilter, default: 'all messages of the thread' },
  order: byPosition('DESC'),
  where: (filter, ctx) => {
    requireScope(ctx, 'THREADS_READ');
    return messagesWhere(filter) as Condition;
  },
});
/** The order of the messages of a run. */
export const oldestMessageFirst = byPosition('ASC');

builder.queryField('message', (t) =>
  t.prismaField({
    type: Message,
    nullable: true,
    description: 'Returns a message. Null if no visible message has this id.',
    args: { id: t.arg.id({ required: true, description: 'The id of the message.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'THREADS_READ');
      return isId('Message', id)
        ? ctx.db.message.findFirst({ ...query, where: { id, ...inThreadsVisibleTo(ctx.actor) } })
        : null;
    },
  }),
);

builder.prismaObjectField(Thread, 'lastMessage', (t) =>
  t.field({
    type: Message,
    nullable: true,
    description: 'The message with the highest position. Null: the thread is empty.',
    select: (_args, _ctx, nested) =>
      ({ messages: nested({ orderBy: { position: 'desc' }, take: 1 } as never) }) as never,
    resolve: (thread) => (thread as unknown as { messages: Array<typeof Message.$inferType> }).messages[0] ?? null,
  }),
);
builder.prismaObjectField(
  Thread,
  'messages',
  messages.child({
    description: 'The messages of the thread, newest first by default.',
    relation: 'messages',
    parentColumn: 'threadId',
  }),
);
