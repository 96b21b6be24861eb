import type { Run as RunRow } from '../../db/generated/client.ts';
import {
  ConflictError,
  ContentRejectedError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  QuotaExceededError,
  RunNotWaitingError,
  ThreadBusyError,
  WaitTimeoutError,
} from '../../domain/error.ts';
import { waitForRun } from '../../domain/follow/wait.ts';
import { editAndRun } from '../../domain/history/edit-message.ts';
import { regenerate } from '../../domain/history/regenerate.ts';
import { createRun } from '../../domain/run/create-run.ts';
import { cancelRun, updateRun } from '../../domain/run/run.ts';
import { submitToolOutputs } from '../../domain/run/tool-outputs.ts';
import { builder } from '../builder.ts';
import { nodePayload, resultErrors } from '../result-union.ts';
import { selectsOnlyId } from '../selection.ts';
import { Message } from './message.ts';
import { Run } from './run.ts';
import {
  CancelRunInput,
  CreateRunInput,
  RegenerateInput,
  SubmitToolOutputsInput,
  UpdateRunInput,
} from './run-input.ts';
import { Thread } from './thread.ts';

const newRunPayload = <Payload extends { run: RunRow } = { run: RunRow }>(name: string) =>
  builder.objectRef<Payload>(name).implement({
    description: 'The created run. Subscribe to runEvents to stream it.',
    fields: (t) => ({
      run: t.field({
        type: Run,
        description: 'The created run, QUEUED unless it was returned for an idempotency key.',
        resolve: ({ run }) => run,
      }),
      thread: t.prismaField({
        type: Thread,
        description: 'The thread of the run.',
        resolve: (query, { run: { workspaceId, threadId: id } }, _args, ctx, info) =>
          selectsOnlyId(info)
            ? ({ id } as never)
            : ctx.db.thread.findUniqueOrThrow({ ...query, where: { workspaceId_id: { workspaceId, id } } }),
      }),
    }),
  });

const CreateRunPayload = newRunPayload<{ run: RunRow; appended: number }>('CreateRunPayload');
builder.objectField(CreateRunPayload, 'messages', (t) =>
  t.prismaField({
    type: [Message],
    description:
      'The messages of the input as they were appended, in order. Those that have been deleted since are left out.',
    resolve: (query, { run: { threadId, inputThrough }, appended }, _args, ctx) =>
      ctx.db.message.findMany({
        ...query,
        where: { threadId, position: { gt: inputThrough - appended, lte: inputThrough } },
        orderBy: { position: 'asc' },
      }),
  }),
);
const RegeneratePayload = newRunPayload('RegeneratePayload');

builder.mutationFields((t) => ({
  createRun: t.field({
    type: CreateRunPayload,
    description:
      'Creates a run, in one transaction with the new thread and the messages of the input. The run is QUEUED; a worker executes it, and runs of one thread execute one after the other. With `editMessage`, a message is edited first, which cancels the unfinished runs of the thread. Subscribe to runEvents for the answer, or use waitForRun. Refused with NotFoundError for an unknown thread, assistant, file or plugin, InvalidInputError for an unknown model or an unavailable tool, ThreadBusyError for `whenBusy: REJECT` on a busy thread, QuotaExceededError for a thread with 100 unfinished runs, and ForbiddenError without THREADS_WRITE if the input has messages or a thread, or if an end user chooses what is not open to them (`RunOverride`), names an assistant that they may not use, or starts a run without an assistant and without the override INSTRUCTIONS.',
    errors: resultErrors('CreateRun', [
      NotFoundError,
      InvalidInputError,
      ThreadBusyError,
      ForbiddenError,
      ContentRejectedError,
      QuotaExceededError,
    ]),
    args: { input: t.arg({ type: CreateRunInput, required: true, description: 'The run to start.' }) },
    resolve: async (_root, { input }, ctx) => {
      const run = await (input.editMessage ? editAndRun(ctx, input) : createRun(ctx, input));
      return { run, appended: (input.messages?.length ?? 0) + (input.thread?.messages?.length ?? 0) };
    },
  }),
  regenerate: t.field({
    type: RegeneratePayload,
    description:
      "Deletes everything after the last user message of a thread and creates a run that answers it again, with the settings of the thread's last run, or of the thread's assistant if there is no run. For an end user, settings that are not open to them (`RunOverride`) are those of the assistant instead. All runs of the thread that have not ended are cancelled at once; followers of the thread receive MessageRemoved for each deleted message. Refused with ConflictError if the thread has no user message to answer.",
    errors: resultErrors('Regenerate', [
      NotFoundError,
      ConflictError,
      InvalidInputError,
      ForbiddenError,
      QuotaExceededError,
    ]),
    args: {
      input: t.arg({
        type: RegenerateInput,
        required: true,
        description: 'The thread whose last answer to regenerate.',
      }),
    },
    resolve: async (_root, { input }, ctx) => {
      return { run: await regenerate(ctx, input) };
    },
  }),
  submitToolOutputs: t.field({
    type: nodePayload('SubmitToolOutputsPayload', 'run', Run, 'The run, which continues.'),
    description:
      'Submits the outputs of all function calls that a run waits for. The run becomes QUEUED and continues. Refused with RunNotWaitingError unless the run is REQUIRES_ACTION (for example, if it was cancelled or has expired), and with InvalidInputError if an output is missing, duplicate or for another call; nothing is stored then.',
    errors: resultErrors('SubmitToolOutputs', [NotFoundError, RunNotWaitingError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: SubmitToolOutputsInput, required: true, description: 'The run and the outputs.' }) },
    resolve: async (_root, { input }, ctx) => ({ run: await submitToolOutputs(ctx, input) }),
  }),
  cancelRun: t.field({
    type: nodePayload('CancelRunPayload', 'run', Run, 'The run, CANCELLED or CANCELLING.'),
    description:
      'Cancels a run. A QUEUED or REQUIRES_ACTION run is CANCELLED at once; an executing run is CANCELLING until its worker has stopped. Text written so far is kept, as an INCOMPLETE message. The next queued run of the thread then starts. Cancelling again changes nothing; a run that has ended is refused with ConflictError.',
    errors: resultErrors('CancelRun', [NotFoundError, ConflictError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: CancelRunInput, required: true, description: 'The run to cancel.' }) },
    resolve: async (_root, { input }, ctx) => ({ run: await cancelRun(ctx, input) }),
  }),
  updateRun: t.field({
    type: nodePayload('UpdateRunPayload', 'run', Run, 'The updated run.'),
    description: 'Replaces the metadata of a run, in any status.',
    errors: resultErrors('UpdateRun', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdateRunInput, required: true, description: 'The run and its new metadata.' }) },
    resolve: async (_root, { input }, ctx) => ({ run: await updateRun(ctx, input) }),
  }),
}));

builder.queryField('waitForRun', (t) =>
  t.field({
    type: Run,
    description:
      'Waits until a run has ended or is REQUIRES_ACTION, and returns it. If that takes longer than `timeoutSeconds`, returns WaitTimeoutError with the run; call again to continue waiting. For clients that cannot use subscriptions.',
    errors: resultErrors('WaitForRun', [NotFoundError, WaitTimeoutError]),
    args: {
      id: t.arg.id({ required: true, description: 'The run to wait for.' }),
      timeoutSeconds: t.arg.int({
        defaultValue: 60,
        description: 'Time limit of the wait, in seconds: 0 to 600, default 60.',
      }),
    },
    resolve: async (_root, { id, timeoutSeconds }, ctx) => {
      const { revoked, release } = ctx.access.watch();
      try {
        return await waitForRun(ctx, { id, timeoutSeconds }, AbortSignal.any([ctx.signal, revoked]));
      } finally {
        release();
      }
    },
  }),
);
