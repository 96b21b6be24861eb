import {
  ConflictError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  QuotaExceededError,
} from '../../domain/error.ts';
import { type DeletedMessage, deleteMessage, editMessage } from '../../domain/history/edit-message.ts';
import { createMessage, updateMessage } from '../../domain/thread/message.ts';
import { builder } from '../builder.ts';
import { deletedPayload, nodePayload, resultErrors } from '../result-union.ts';
import { newMetadataDescription } from '../scalar.ts';
import { Message } from './message.ts';
import { EditMessageInput, MessageInput } from './message-input.ts';
import { Thread } from './thread.ts';

const CreateMessageInput = builder.inputType('CreateMessageInput', {
  description: 'A new message and its thread.',
  fields: (t) => ({
    threadId: t.id({ required: true, description: 'The thread to add the message to.' }),
    message: t.field({ type: MessageInput, required: true, description: 'The message to add.' }),
  }),
});

const UpdateMessageInput = builder.inputType('UpdateMessageInput', {
  description: 'The new metadata of a message.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The message to update.' }),
    metadata: t.field({ type: 'Metadata', required: true, description: newMetadataDescription }),
  }),
});

const DeleteMessageInput = builder.inputType('DeleteMessageInput', {
  description: 'Selects the message to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The message to delete.' }) }),
});

const DeleteMessagePayload = deletedPayload<DeletedMessage>('DeleteMessagePayload');
builder.objectField(DeleteMessagePayload, 'thread', (t) =>
  t.prismaField({
    type: Thread,
    description: 'The thread that contained the message: update its lists.',
    resolve: (query, { threadId: id }, _args, ctx) => ctx.db.thread.findFirstOrThrow({ ...query, where: { id } }),
  }),
);

builder.mutationFields((t) => ({
  createMessage: t.field({
    type: nodePayload('CreateMessagePayload', 'threadMessage', Message, 'The message that was added.'),
    description:
      'Adds a message to a thread without starting a run. If a run is active, it continues without the message; the next run reads it. Refused with NotFoundError for an unknown thread or file, with QuotaExceededError in a thread that has had 1,000,000 messages, and with ForbiddenError for a SYSTEM message of an end user without the override SYSTEM_MESSAGES.',
    errors: resultErrors('CreateMessage', [NotFoundError, InvalidInputError, ForbiddenError, QuotaExceededError]),
    args: { input: t.arg({ type: CreateMessageInput, required: true, description: 'The message to add.' }) },
    resolve: async (_root, { input }, ctx) => ({ threadMessage: await createMessage(ctx, input) }),
  }),
  editMessage: t.field({
    type: nodePayload('EditMessagePayload', 'threadMessage', Message, 'The message that was edited.'),
    description:
      'Replaces the content of a message. Cancels the unfinished runs of the thread first, and deletes all messages after the edited one. Attachments and metadata remain. Start the next run with createRun. Refused with ForbiddenError for a SYSTEM message, if an end user lacks the override SYSTEM_MESSAGES.',
    errors: resultErrors('EditMessage', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: EditMessageInput, required: true, description: 'The new content.' }) },
    resolve: async (_root, { input }, ctx) => ({ threadMessage: await editMessage(ctx, input) }),
  }),
  updateMessage: t.field({
    type: nodePayload('UpdateMessagePayload', 'threadMessage', Message, 'The message that was updated.'),
    description: 'Replaces the metadata of a message. Runs are not affected. To change the content, use editMessage.',
    errors: resultErrors('UpdateMessage', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdateMessageInput, required: true, description: 'The new metadata.' }) },
    resolve: async (_root, { input }, ctx) => ({ threadMessage: await updateMessage(ctx, input) }),
  }),
  deleteMessage: t.field({
    type: DeleteMessagePayload,
    description:
      'Deletes one message; the messages after it remain. Refused with ConflictError while a run is writing the message: cancel the run first. Refused with ForbiddenError for a SYSTEM message, if an end user lacks the override SYSTEM_MESSAGES.',
    errors: resultErrors('DeleteMessage', [NotFoundError, ConflictError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeleteMessageInput, required: true, description: 'The message to delete.' }) },
    resolve: async (_root, { input }, ctx) => deleteMessage(ctx, input),
  }),
}));
