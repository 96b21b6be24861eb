import { ForbiddenError, InvalidInputError, NotFoundError } from '../../domain/error.ts';
import { markThreadRead, pinThread } from '../../domain/thread/thread-view.ts';
import { builder } from '../builder.ts';
import { nodePayload, resultErrors } from '../result-union.ts';
import { Thread } from './thread.ts';

const MarkThreadReadInput = builder.inputType('MarkThreadReadInput', {
  description: 'What you have read of a thread.',
  fields: (t) => ({
    threadId: t.id({ required: true, description: 'The thread.' }),
    position: t.int({
      description:
        'The `position` of the last message that you have read, at least 0. Omit for the last one of the thread.',
    }),
  }),
});

const PinThreadInput = builder.inputType('PinThreadInput', {
  description: 'Whether you pin a thread.',
  fields: (t) => ({
    threadId: t.id({ required: true, description: 'The thread.' }),
    pinned: t.boolean({ required: true, description: 'true: pins the thread; false: removes the pin.' }),
  }),
});

builder.mutationFields((t) => ({
  markThreadRead: t.field({
    type: nodePayload('MarkThreadReadPayload', 'thread', Thread, 'The thread with its new `unreadCount`.'),
    description:
      'Marks messages of a thread as read by you: the end user, or the API key. A lower position than before changes nothing. Nobody else is affected.',
    errors: resultErrors('MarkThreadRead', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: MarkThreadReadInput, required: true, description: 'What you have read.' }) },
    resolve: async (_root, { input }, ctx) => ({ thread: await markThreadRead(ctx, input) }),
  }),
  pinThread: t.field({
    type: nodePayload('PinThreadPayload', 'thread', Thread, 'The thread with its new `pinnedAt`.'),
    description:
      'Pins a thread for you, the end user or the API key, or removes the pin. Nobody else is affected. List pinned threads with `threads(filter: { pinned: true })`.',
    errors: resultErrors('PinThread', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: PinThreadInput, required: true, description: 'The thread.' }) },
    resolve: async (_root, { input }, ctx) => ({ thread: await pinThread(ctx, input) }),
  }),
}));
