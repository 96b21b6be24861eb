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
import { resultErrors } from '../result-union.ts';
import { MessageInput } from './message-input.ts';
import { Run } from './run.ts';
import { Thread } from './thread.ts';
import { CreateThreadInput } from './thread-mutation.ts';
import { ToolInput } from './tool.ts';
import { TruncationStrategy } from './truncation.ts';

const WhenBusy = builder.enumType('WhenBusy', {
  description: 'What to do when another run of the thread is not finished.',
  values: {
    ENQUEUE: { description: 'Wait for its turn.' },
    REJECT: { description: 'Refuse with ThreadBusyError.' },
    CANCEL_ACTIVE: { description: 'Cancel what runs and waits, and take its place.' },
  } as const,
});

const TruncationInput = builder.inputType('TruncationInput', {
  description: 'How much of the conversation the model is told.',
  fields: (t) => ({
    strategy: t.field({ type: TruncationStrategy, required: true, description: 'How it is cut.' }),
    lastMessages: t.int({ description: 'For LAST_MESSAGES, and only then: how many.' }),
  }),
});

const PluginTokenInput = builder.inputType('PluginTokenInput', {
  description: 'The token of the user for whom a plug-in acts.',
  fields: (t) => ({
    pluginId: t.id({ required: true, description: 'The plug-in, whose auth is userToken.' }),
    token: t.string({ required: true, description: 'The token.' }),
  }),
});

const CreateRunInput = builder.inputType('CreateRunInput', {
  description:
    'A run to start: on a thread that is there, or on a new one. What is absent is taken from the assistant.',
  fields: (t) => ({
    threadId: t.id({ description: 'The thread; or `thread`, exactly one of the two.' }),
    thread: t.field({ type: CreateThreadInput, description: 'A new thread.' }),
    assistantId: t.id({ description: "The assistant; absent: the thread's." }),
    messages: t.field({
      type: [MessageInput],
      description: 'Messages to append first, in the same transaction: up to 100.',
    }),
    model: t.string({ description: 'Another model.' }),
    instructions: t.string({ description: 'Other instructions.' }),
    additionalInstructions: t.string({ description: 'Instructions behind those that are in force.' }),
    tools: t.field({ type: [ToolInput], description: 'Other tools; [] for none.' }),
    temperature: t.float({ description: 'From 0 to 2.' }),
    topP: t.float({ description: 'From 0 to 1.' }),
    maxPromptTokens: t.int({ description: 'How many tokens it may read in all.' }),
    maxCompletionTokens: t.int({ description: 'How many tokens it may write in all.' }),
    maxSteps: t.int({ defaultValue: 20, description: 'How many steps it may take: 1 to 1000.' }),
    toolChoice: t.field({
      type: 'JSON',
      description: '"none", "auto", "required", or { "type": "function", "function": { "name" } }.',
    }),
    pluginTokens: t.field({
      type: [PluginTokenInput],
      description: 'What plug-ins that act for a user are shown: kept sealed until the run ends, and never shown.',
    }),
    parallelToolCalls: t.boolean({
      defaultValue: true,
      description: 'Whether the model may make several calls at once.',
    }),
    responseFormat: t.field({
      type: 'JSON',
      description: "How the answer is shaped, in the form of OpenAI's response_format.",
    }),
    truncation: t.field({
      type: TruncationInput,
      description: 'How much of the conversation the model is told; absent: AUTO.',
    }),
    whenBusy: t.field({
      type: WhenBusy,
      defaultValue: 'ENQUEUE',
      description: 'What to do when another run of the thread is not finished.',
    }),
    metadata: t.field({ type: 'Metadata', description: 'Your own pairs.' }),
    idempotencyKey: t.string({ description: 'The same key within 24 h answers the first run: 1 to 200 characters.' }),
  }),
});

const RegenerateInput = builder.inputType('RegenerateInput', {
  description: 'What to answer anew.',
  fields: (t) => ({
    threadId: t.id({ required: true, description: 'The thread.' }),
    model: t.string({ description: 'Another model.' }),
    instructions: t.string({ description: 'Other instructions.' }),
    pluginTokens: t.field({ type: [PluginTokenInput], description: 'As in createRun.' }),
  }),
});

const ToolOutputInput = builder.inputType('ToolOutputInput', {
  description: 'The output of one call.',
  fields: (t) => ({
    toolCallId: t.id({ required: true, description: 'The call.' }),
    output: t.string({ required: true, description: 'What the model is told: up to 1,000,000 characters.' }),
    isError: t.boolean({ defaultValue: false, description: 'Whether the call went wrong.' }),
  }),
});

const SubmitToolOutputsInput = builder.inputType('SubmitToolOutputsInput', {
  description: 'The outputs of all calls that a run waits for.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'The run.' }),
    outputs: t.field({ type: [ToolOutputInput], required: true, description: 'All of them, at once.' }),
  }),
});

const CancelRunInput = builder.inputType('CancelRunInput', {
  description: 'A run to cancel.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The run.' }) }),
});

const UpdateRunInput = builder.inputType('UpdateRunInput', {
  description: 'New pairs for a run.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The run.' }),
    metadata: t.field({ type: 'Metadata', required: true, description: 'The pairs, in place of all there are.' }),
  }),
});

const newRunPayload = (name: string) =>
  builder.simpleObject(name, {
    description: 'The new run. Follow it with runEvents.',
    fields: (t) => ({
      run: t.field({ type: Run, nullable: false, description: 'The run.' }),
      thread: t.field({ type: Thread, nullable: false, description: 'Its thread.' }),
    }),
  });

const runPayload = (name: string, description: string) =>
  builder.simpleObject(name, {
    description,
    fields: (t) => ({ run: t.field({ type: Run, nullable: false, description: 'The run as it is now.' }) }),
  });

/** The thread of a run, by its key: plugin-prisma loads what is selected of it. */
const threadOf = ({ workspaceId, threadId }: { workspaceId: string; threadId: string }) =>
  ({ workspaceId, id: threadId }) as never;

const CreateRunPayload = newRunPayload('CreateRunPayload');
const RegeneratePayload = newRunPayload('RegeneratePayload');
const SubmitToolOutputsPayload = runPayload('SubmitToolOutputsPayload', 'The run that goes on.');
const CancelRunPayload = runPayload('CancelRunPayload', 'The run that is asked to stop, or has stopped.');
const UpdateRunPayload = runPayload('UpdateRunPayload', 'The changed run.');

builder.mutationFields((t) => ({
  createRun: t.field({
    type: CreateRunPayload,
    description: 'Starts a run, after appending messages. Messages and a new thread need THREADS_WRITE too.',
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
    description: 'Drops the answer to the last user message and runs again.',
    errors: resultErrors('Regenerate', [
      NotFoundError,
      ConflictError,
      InvalidInputError,
      ForbiddenError,
      QuotaExceededError,
    ]),
    args: { input: t.arg({ type: RegenerateInput, required: true, description: 'What to answer anew.' }) },
    resolve: async (_root, { input }, ctx) => {
      const run = await regenerate(ctx, input);
      return { run, thread: threadOf(run) };
    },
  }),
  submitToolOutputs: t.field({
    type: SubmitToolOutputsPayload,
    description: 'Answers all calls that a run waits for, and lets it go on.',
    errors: resultErrors('SubmitToolOutputs', [NotFoundError, RunNotWaitingError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: SubmitToolOutputsInput, required: true, description: 'The outputs.' }) },
    resolve: async (_root, { input }, ctx) => ({ run: await submitToolOutputs(ctx, input) }),
  }),
  cancelRun: t.field({
    type: CancelRunPayload,
    description: 'Stops a run; asking twice changes nothing, and one that has ended is refused.',
    errors: resultErrors('CancelRun', [NotFoundError, ConflictError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: CancelRunInput, required: true, description: 'Which one.' }) },
    resolve: async (_root, { input }, ctx) => ({ run: await cancelRun(ctx, input) }),
  }),
  updateRun: t.field({
    type: UpdateRunPayload,
    description: "Replaces a run's pairs.",
    errors: resultErrors('UpdateRun', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdateRunInput, required: true, description: 'The pairs.' }) },
    resolve: async (_root, { input }, ctx) => ({ run: await updateRun(ctx, input) }),
  }),
}));

builder.queryField('waitForRun', (t) =>
  t.field({
    type: Run,
    description: 'Waits on the server: answers when the run has ended or requires action, or with WaitTimeoutError.',
    errors: resultErrors('WaitForRun', [NotFoundError, WaitTimeoutError]),
    args: {
      id: t.arg.id({ required: true, description: 'The run.' }),
      timeoutSeconds: t.arg.int({ defaultValue: 60, description: 'How long to wait: 0 to 600.' }),
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
