import {
  ConflictError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  QuotaExceededError,
} from '../../domain/error.ts';
import { deleteThread } from '../../domain/history/delete-thread.ts';
import { forkThread } from '../../domain/history/fork-thread.ts';
import { createThread, updateThread } from '../../domain/thread/thread.ts';
import { builder } from '../builder.ts';
import { deletedFromWorkspace, nodePayload, resultErrors } from '../result-union.ts';
import { metadataDescription, newMetadataDescription } from '../scalar.ts';
import { MessageInput } from './message-input.ts';
import { Thread } from './thread.ts';

/** A thread in an input. */
export const CreateThreadInput = builder.inputType('CreateThreadInput', {
  description: 'A new thread. Every field is optional.',
  fields: (t) => ({
    title: t.string({ description: 'The title, for people: at most 256 characters.' }),
    assistantId: t.id({
      description: 'The assistant of runs that name no assistant. An end user needs one that is open to them.',
    }),
    owner: t.string({
      description:
        'The end user to whom the thread belongs: your id of the user, 1 to 256 characters. Omit for the workspace. For end users, it is always themselves.',
    }),
    messages: t.field({ type: [MessageInput], description: 'The first messages, in order: at most 100.' }),
    fileIds: t.idList({ description: 'The files that the tools of its runs can read and search: at most 1000 ids.' }),
    metadata: t.field({ type: 'Metadata', description: metadataDescription }),
  }),
});

const UpdateThreadInput = builder.inputType('UpdateThreadInput', {
  description:
    'The fields to update. An absent field keeps its value. Null clears `title` and `assistantId`, and keeps the other fields.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The thread to update.' }),
    title: t.string({ description: 'The new title: at most 256 characters.' }),
    assistantId: t.id({
      description: 'The new assistant of runs that name no assistant. An end user needs one that is open to them.',
    }),
    archived: t.boolean({
      description: 'true archives the thread, which hides it from lists by default; false restores it.',
    }),
    fileIds: t.idList({ description: 'The new files, which replace all existing files: at most 1000 ids.' }),
    metadata: t.field({ type: 'Metadata', description: newMetadataDescription }),
  }),
});

const DeleteThreadInput = builder.inputType('DeleteThreadInput', {
  description: 'Selects the thread to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The thread to delete.' }) }),
});

const ForkThreadInput = builder.inputType('ForkThreadInput', {
  description: 'Selects the messages to copy into a new thread.',
  fields: (t) => ({
    throughMessageId: t.id({
      required: true,
      description: 'The last message to copy. The fork contains this message and all before it.',
    }),
    title: t.string({
      description: 'The title of the fork: at most 256 characters. Null: none. Omit for the title of the source.',
    }),
    metadata: t.field({ type: 'Metadata', description: `${metadataDescription} Omit for the metadata of the source.` }),
  }),
});

builder.mutationFields((t) => ({
  createThread: t.field({
    type: nodePayload('CreateThreadPayload', 'thread', Thread, 'The thread that was created.'),
    description:
      'Creates a thread with its first messages. Refused with NotFoundError for an unknown assistant or file, with QuotaExceededError for an end user with 10,000 threads, and with ForbiddenError if an end user names another owner or an assistant that is not open to them, or adds a SYSTEM message without the override SYSTEM_MESSAGES. createRun can create a thread and start a run in one request.',
    errors: resultErrors('CreateThread', [NotFoundError, InvalidInputError, ForbiddenError, QuotaExceededError]),
    args: { input: t.arg({ type: CreateThreadInput, required: true, description: 'The thread to create.' }) },
    resolve: async (_root, { input }, ctx) => ({ thread: await createThread(ctx, input) }),
  }),
  updateThread: t.field({
    type: nodePayload('UpdateThreadPayload', 'thread', Thread, 'The thread that was updated.'),
    description:
      'Updates a thread, or archives and restores it. Runs are not affected. Refused with NotFoundError for an unknown thread, assistant or file, and with ForbiddenError if the assistant is not open to an end user.',
    errors: resultErrors('UpdateThread', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdateThreadInput, required: true, description: 'The fields to update.' }) },
    resolve: async (_root, { input }, ctx) => ({ thread: await updateThread(ctx, input) }),
  }),
  deleteThread: t.field({
    type: deletedFromWorkspace('DeleteThreadPayload'),
    description:
      'Cancels the unfinished runs of a thread, then deletes it with its messages, runs, steps, events and the files that its runs wrote. Uploaded files remain, as do files that forks still show.',
    errors: resultErrors('DeleteThread', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeleteThreadInput, required: true, description: 'The thread to delete.' }) },
    resolve: async (_root, { input }, ctx) => ({ deletedId: await deleteThread(ctx, input) }),
  }),
  forkThread: t.field({
    type: nodePayload('ForkThreadPayload', 'thread', Thread, 'The fork that was created.'),
    description:
      'Creates a thread with copies of the messages of another thread, through the given message. The fork has the same assistant, owner and files; runs are not copied. Refused with ConflictError while one of the messages is being written, and with QuotaExceededError for an end user with 10,000 threads.',
    errors: resultErrors('ForkThread', [
      NotFoundError,
      ConflictError,
      InvalidInputError,
      ForbiddenError,
      QuotaExceededError,
    ]),
    args: { input: t.arg({ type: ForkThreadInput, required: true, description: 'The messages to copy.' }) },
    resolve: async (_root, { input }, ctx) => ({ thread: await forkThread(ctx, input) }),
  }),
}));
