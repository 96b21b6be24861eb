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
import { regenerate } from '../../domain/history/regenerate.ts';
import { createRun } from '../../domain/run/create-run.ts';
import { cancelRun, updateRun } from '../../domain/run/run.ts';
import { submitToolOutputs } from '../../domain/run/tool-outputs.ts';
import { builder } from '../builder.ts';
import { nodePayload, resultErrors } from '../result-union.ts';
import { metadataDescription, newMetadataDescription } from '../scalar.ts';
import { MessageInput } from './message-input.ts';
import { Run } from './run.ts';
import { Thread } from './thread.ts';
import { CreateThreadInput } from './thread-mutation.ts';
import { ToolInput } from './tool.ts';
import { TruncationStrategy } from './truncation.ts';

const WhenBusy = builder.enumType('WhenBusy', {
  description: 'What createRun does if the thread has a run that has not ended.',
  values: {
    ENQUEUE: { description: 'Queue the run: it starts when the earlier runs of the thread have ended.' },
    REJECT: { description: 'Refuse with ThreadBusyError, which has the active run.' },
    CANCEL_ACTIVE: {
      description:
        'Cancel the active run and all queued runs of the thread. The new run starts when the active one has stopped.',
    },
  } as const,
});

const TruncationInput = builder.inputType('TruncationInput', {
  description: 'How much of the conversation goes into the prompt.',
  fields: (t) => ({
    strategy: t.field({ type: TruncationStrategy, required: true, description: 'How messages are selected.' }),
    lastMessages: t.int({
      description: 'Number of messages to keep, at least 1. Required for LAST_MESSAGES, refused for AUTO.',
    }),
  }),
});

const PluginTokenInput = builder.inputType('PluginTokenInput', {
  description: 'A token with which the calls of a plugin act for an end user.',
  fields: (t) => ({
    pluginId: t.id({
      required: true,
      description: 'The plugin that receives the token, if its auth is `userToken`. Ignored otherwise.',
    }),
    token: t.string({ required: true, description: 'The token: 1 to 8,192 characters.' }),
  }),
});

const CreateRunInput = builder.inputType('CreateRunInput', {
  description:
    'The run to start, on an existing thread (`threadId`) or on a new one (`thread`). Omitted model settings come from the assistant. All settings are fixed when the run is created.',
  fields: (t) => ({
    threadId: t.id({ description: 'The thread to run on. Exactly one of `threadId` and `thread`.' }),
    thread: t.field({
      type: CreateThreadInput,
      description: 'A thread to create for the run. Exactly one of `threadId` and `thread`.',
    }),
    assistantId: t.id({
      description: "The assistant whose settings the run uses. Omit for the thread's assistant, if it has one.",
    }),
    messages: t.field({
      type: [MessageInput],
      description:
        'Messages to append to the thread before the run, in the same transaction: at most 100. Requires THREADS_WRITE.',
    }),
    model: t.string({
      description:
        "The model, as `provider/model`: at most 200 characters. Omit for the assistant's, else the workspace's, else the server's default.",
    }),
    instructions: t.string({
      description:
        "System instructions instead of the assistant's: at most 256,000 characters. Null: none. Omit for the assistant's.",
    }),
    additionalInstructions: t.string({
      description: 'Instructions to append to the effective ones, after a blank line: at most 256,000 characters.',
    }),
    tools: t.field({
      type: [ToolInput],
      description: "Tools instead of the assistant's: at most 128. An empty list: none. Omit for the assistant's.",
    }),
    temperature: t.float({
      description: "Sampling temperature, 0 to 2. Null: the provider's default. Omit for the assistant's.",
    }),
    topP: t.float({
      description: "Nucleus sampling, 0 to 1. Null: the provider's default. Omit for the assistant's.",
    }),
    maxPromptTokens: t.int({
      description:
        'Limit on the prompt tokens of all steps of the run together, at least 1. At the limit the run ends INCOMPLETE with MAX_PROMPT_TOKENS. Omit for no limit.',
    }),
    maxCompletionTokens: t.int({
      description:
        "Limit on the completion tokens of all steps of the run together, at least 1. At the limit the run ends INCOMPLETE with MAX_COMPLETION_TOKENS. Null: no limit. Omit for the assistant's.",
    }),
    maxSteps: t.int({
      defaultValue: 20,
      description:
        'Limit on the number of steps: 1 to 1,000, default 20. At the limit the run ends INCOMPLETE with MAX_STEPS.',
    }),
    toolChoice: t.field({
      type: 'JSON',
      description:
        'Whether and which tool the model must call, as in OpenAI\'s tool_choice: `"none"`, `"auto"`, `"required"` or `{ "type": "function", "function": { "name": "…" } }`. Omit for `"auto"`.',
    }),
    pluginTokens: t.field({
      type: [PluginTokenInput],
      description:
        'Tokens of the end user for plugins with `userToken` auth: at most 128. Stored encrypted until the run ends, and never returned.',
    }),
    parallelToolCalls: t.boolean({
      defaultValue: true,
      description: 'Whether the model may make several tool calls in one step. Default true.',
    }),
    responseFormat: t.field({
      type: 'JSON',
      description:
        "Format of the answer, as in OpenAI's response_format: type `text`, `json_object` or `json_schema`. Null: text. Omit for the assistant's.",
    }),
    truncation: t.field({
      type: TruncationInput,
      description: 'How much of the conversation goes into the prompt. Omit for AUTO.',
    }),
    whenBusy: t.field({
      type: WhenBusy,
      defaultValue: 'ENQUEUE',
      description: 'What to do if the thread has a run that has not ended. Default ENQUEUE.',
    }),
    metadata: t.field({ type: 'Metadata', description: metadataDescription }),
    idempotencyKey: t.string({
      description:
        'Makes retries safe: 1 to 200 characters. A request with a key used within the last 24 h returns the first run and changes nothing. The API keys of a workspace share one set of idempotency keys; each end user has a separate one.',
    }),
  }),
});

const RegenerateInput = builder.inputType('RegenerateInput', {
  description: 'The thread whose last answer to regenerate, and settings to override.',
  fields: (t) => ({
    threadId: t.id({ required: true, description: 'The thread whose last answer to regenerate.' }),
    model: t.string({ description: "The model, as `provider/model`. Omit for the last run's." }),
    instructions: t.string({
      description: "System instructions: at most 256,000 characters. Omit for the last run's.",
    }),
    pluginTokens: t.field({
      type: [PluginTokenInput],
      description: 'Tokens for plugins, as in createRun. Those of the last run are not kept.',
    }),
  }),
});

const ToolOutputInput = builder.inputType('ToolOutputInput', {
  description: 'The output of one function call.',
  fields: (t) => ({
    toolCallId: t.id({
      required: true,
      description: 'The id of the tool call: `toolCalls.id` in `Run.requiredAction`.',
    }),
    output: t.string({
      required: true,
      description:
        'The output for the model, of any form: at most 1,000,000 characters. If the call failed: the reason.',
    }),
    isError: t.boolean({
      defaultValue: false,
      description: 'Whether the call failed. The call is then FAILED, and the model is informed. Default false.',
    }),
  }),
});

const SubmitToolOutputsInput = builder.inputType('SubmitToolOutputsInput', {
  description: 'The outputs of all function calls that a run waits for.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The run that waits.' }),
    outputs: t.field({
      type: [ToolOutputInput],
      required: true,
      description: 'One output for each call in `Run.requiredAction`, in any order.',
    }),
  }),
});

const CancelRunInput = builder.inputType('CancelRunInput', {
  description: 'The run to cancel.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The run to cancel.' }) }),
});

const UpdateRunInput = builder.inputType('UpdateRunInput', {
  description: 'The run to update and its new metadata.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The run to update.' }),
    metadata: t.field({ type: 'Metadata', required: true, description: newMetadataDescription }),
  }),
});

const newRunPayload = (name: string) =>
  builder.simpleObject(name, {
    description: 'The created run. Subscribe to runEvents to stream it.',
    fields: (t) => ({
      run: t.field({
        type: Run,
        nullable: false,
        description: 'The created run, QUEUED unless it was returned for an idempotency key.',
      }),
      thread: t.field({ type: Thread, nullable: false, description: 'The thread of the run.' }),
    }),
  });

/** A reference to the thread of a run; plugin-prisma loads the selected fields. */
const threadOf = ({ workspaceId, threadId }: { workspaceId: string; threadId: string }) =>
  ({ workspaceId, id: threadId }) as never;

const CreateRunPayload = newRunPayload('CreateRunPayload');
const RegeneratePayload = newRunPayload('RegeneratePayload');

builder.mutationFields((t) => ({
  createRun: t.field({
    type: CreateRunPayload,
    description:
      'Creates a run, in one transaction with the new thread and the messages of the input. The run is QUEUED; a worker executes it, and runs of one thread execute one after the other. Subscribe to runEvents for the answer, or use waitForRun. Refused with NotFoundError for an unknown thread, assistant, file or plugin, InvalidInputError for an unknown model or an unavailable tool, ThreadBusyError for `whenBusy: REJECT` on a busy thread, and ForbiddenError without THREADS_WRITE if the input has messages or a thread.',
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
      const run = await createRun(ctx, input);
      return { run, thread: threadOf(run) };
    },
  }),
  regenerate: t.field({
    type: RegeneratePayload,
    description:
      "Deletes everything after the last user message of a thread and creates a run that answers it again, with the settings of the thread's last run, or of the thread's assistant if there is no run. All runs of the thread that have not ended are cancelled at once; followers of the thread receive MessageRemoved for each deleted message. Refused with ConflictError if the thread has no user message to answer.",
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
      const run = await regenerate(ctx, input);
      return { run, thread: threadOf(run) };
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
