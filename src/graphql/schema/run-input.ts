import { builder } from '../builder.ts';
import { metadataDescription, newMetadataDescription } from '../scalar.ts';
import { ResponseFormatInput, ToolChoiceInput } from './answer-input.ts';
import { EditMessageInput, MessageInput } from './message-input.ts';
import { settingInputs } from './model-settings.ts';
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

export const CreateRunInput = builder.inputType('CreateRunInput', {
  description:
    'The run to start, on an existing thread (`threadId`) or on a new one (`thread`). Omitted model settings come from the assistant. All settings are fixed when the run is created.',
  fields: (t) => ({
    threadId: t.id({ description: 'The thread to run on. Exactly one of `threadId` and `thread`.' }),
    thread: t.field({
      type: CreateThreadInput,
      description: 'A thread to create for the run. Exactly one of `threadId` and `thread`.',
    }),
    assistantId: t.id({
      description:
        "The assistant whose settings the run uses. Omit for the thread's assistant, if it has one. An end user needs an assistant that is open to them, or the override INSTRUCTIONS for a run without one.",
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
      type: ToolChoiceInput,
      description: 'Whether and which tool the model must call. Omit for the mode AUTO.',
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
      type: ResponseFormatInput,
      description: "The format of the answer. Null: text. Omit for the assistant's.",
    }),
    ...settingInputs(t, {
      null: "Null: the provider's default. Omit for the assistant's.",
      list: "An empty list: none. Omit for the assistant's.",
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
    editMessage: t.field({
      type: EditMessageInput,
      description:
        'Edits a message of the thread first, as editMessage does, and then asks again; with `threadId` only. `messages` are appended after it.',
    }),
    idempotencyKey: t.string({
      description:
        'Makes retries safe: 1 to 200 characters. A request with a key used within the last 24 h returns the first run and changes nothing. The API keys of a workspace share one set of idempotency keys; each end user has a separate one.',
    }),
  }),
});

export const RegenerateInput = builder.inputType('RegenerateInput', {
  description: 'The thread whose last answer to regenerate, and settings to override.',
  fields: (t) => ({
    threadId: t.id({ required: true, description: 'The thread whose last answer to regenerate.' }),
    model: t.string({ description: "The model, as `provider/model`. Omit for the last run's." }),
    instructions: t.string({
      description: "System instructions: at most 256,000 characters. Omit for the last run's.",
    }),
    assistantId: t.id({
      description: "The assistant that answers, with its settings. Omit to keep the last run's assistant and settings.",
    }),
    tools: t.field({ type: [ToolInput], description: "The tools: at most 128. Omit for the last run's." }),
    metadata: t.field({ type: 'Metadata', description: metadataDescription }),
    idempotencyKey: t.string({ description: 'Makes retries safe, as in createRun: 1 to 200 characters.' }),
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

export const SubmitToolOutputsInput = builder.inputType('SubmitToolOutputsInput', {
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

export const CancelRunInput = builder.inputType('CancelRunInput', {
  description: 'The run to cancel.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The run to cancel.' }) }),
});

export const UpdateRunInput = builder.inputType('UpdateRunInput', {
  description: 'The run to update and its new metadata.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The run to update.' }),
    metadata: t.field({ type: 'Metadata', required: true, description: newMetadataDescription }),
  }),
});
