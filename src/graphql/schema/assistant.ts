import { Prisma } from '../../db/generated/client.ts';
import { requireScope } from '../../domain/access/access.ts';
import { assistantsVisibleTo } from '../../domain/access/scope.ts';
import { mayUseAssistant } from '../../domain/access/user-rights.ts';
import {
  assistantsWhere,
  createAssistant,
  deleteAssistant,
  updateAssistant,
} from '../../domain/assistant/assistant.ts';
import type { DomainContext } from '../../domain/context.ts';
import {
  ConflictError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  QuotaExceededError,
} from '../../domain/error.ts';
import { effectiveModel } from '../../domain/run/generation.ts';
import { currentWorkspace } from '../../domain/workspace/workspace.ts';
import { isId } from '../../id.ts';
import { builder, type InputFieldBuilder } from '../builder.ts';
import { contentOf, plainColumns, showing } from '../contents.ts';
import type { GraphContext } from '../context.ts';
import { listOf } from '../list-of.ts';
import { orderingsOf } from '../list-order.ts';
import { deletedFromWorkspace, nodePayload, resultErrors } from '../result-union.ts';
import { metadataDescription } from '../scalar.ts';
import { ResponseFormatInput } from './answer-input.ts';
import { File, filesOf } from './file.ts';
import { ReasoningEffort, settingDescriptions, settingInputs } from './model-settings.ts';
import { shownTools, Tool, ToolInput } from './tool.ts';

/** The name of the default model, read once per request for any number of assistants. */
async function defaultModels(ctx: DomainContext, keys: readonly 'default'[]): Promise<string[]> {
  const { defaultModel } = await currentWorkspace(ctx);
  return keys.map(() => effectiveModel(ctx, null, defaultModel));
}

const temperature = "Sampling temperature, 0 to 2. Null: the provider's default.";
const topP = "Nucleus sampling, 0 to 1. Null: the provider's default.";
const maxCompletionTokens =
  'Limit on the completion tokens of all steps of a run together, at least 1. Null: no limit.';
const responseFormat = 'The format of answers. Null: text.';

/** A configuration that runs start from. */
export const Assistant = builder.prismaNode('Assistant', {
  nullable: true,
  select: plainColumns('Assistant', Prisma.AssistantScalarFieldEnum),
  description:
    'A configuration for runs: a model with its settings, instructions, tools and files. A run copies it when it is created.',
  id: { resolve: ({ id }) => id, description: 'Assistant id: `asst_` and a UUIDv7 (TypeID).' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'ASSISTANTS_READ');
    return { workspaceId_id: { workspaceId: ctx.workspaceId, id }, AND: [assistantsVisibleTo(ctx.actor)] };
  },
  fields: (t) => ({
    name: t.exposeString('name', { nullable: true, description: 'The name of the assistant, for people.' }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'The purpose of the assistant, for people. The model does not read it.',
    }),
    model: t.string({
      description:
        "The model that runs use: the assistant's own, as `provider/model`, or else the default of the workspace or the server.",
      resolve: ({ model }, _args, ctx) => model ?? ctx.load(defaultModels, 'default' as const),
    }),
    instructions: t.string({
      nullable: true,
      ...showing('Assistant', 'instructions'),
      resolve: (row, _args, ctx) => contentOf(ctx, 'Assistant', row, 'instructions'),
      description: 'System instructions: the model reads them before the conversation.',
    }),
    tools: t.field({
      type: [Tool],
      description: 'The tools that the model can call.',
      ...showing('Assistant', 'tools'),
      resolve: async (row, _args, ctx) => shownTools(ctx, await contentOf(ctx, 'Assistant', row, 'tools')) as never,
    }),
    temperature: t.exposeFloat('temperature', { nullable: true, description: temperature }),
    topP: t.exposeFloat('topP', { nullable: true, description: topP }),
    maxCompletionTokens: t.exposeInt('maxCompletionTokens', { nullable: true, description: maxCompletionTokens }),
    reasoningEffort: t.expose('reasoningEffort', {
      type: ReasoningEffort,
      nullable: true,
      description: `${settingDescriptions.reasoningEffort} Null: the provider's default.`,
    }),
    seed: t.exposeInt('seed', { nullable: true, description: `${settingDescriptions.seed} Null: none.` }),
    topK: t.exposeInt('topK', {
      nullable: true,
      description: `${settingDescriptions.topK} Null: the provider's default.`,
    }),
    stop: t.exposeStringList('stop', { description: settingDescriptions.stop }),
    providerOptions: t.field({
      type: 'JSON',
      nullable: true,
      description: `${settingDescriptions.providerOptions} Null: none.`,
      ...showing('Assistant', 'providerOptions'),
      resolve: (row, _args, ctx) => contentOf(ctx, 'Assistant', row, 'providerOptions'),
    }),
    responseFormat: t.field({
      type: 'JSON',
      nullable: true,
      description:
        'The format of answers, as in OpenAI\'s `response_format`: `{ "type": "text" }`, `{ "type": "json_object" }`, or `{ "type": "json_schema", "json_schema": { "name", "schema", "strict" } }`. Null: text.',
      ...showing('Assistant', 'responseFormat'),
      resolve: (row, _args, ctx) => contentOf(ctx, 'Assistant', row, 'responseFormat'),
    }),
    files: t.field({
      type: [File],
      description: 'The files that the tools of every run with this assistant can read and search.',
      select: { files: { orderBy: { fileId: 'asc' }, select: { fileId: true } } },
      resolve: ({ files }, _args, ctx) => filesOf(ctx, files),
    }),
    metadata: t.expose('metadata', { type: 'Metadata', description: metadataDescription }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the assistant was created.' }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When the assistant was last updated; at first, when it was created.',
    }),
  }),
});

/**
 * The options of a field that leads to the assistant of a row. The value is null for an end user who may not use the
 * assistant, as if it did not exist.
 */
export const assistantOf = (description: string) => ({
  type: Assistant,
  nullable: true as const,
  description: `${description} Also null if you may not use it.`,
  select: (_args: object, _ctx: GraphContext, nested: () => unknown) => ({ assistant: nested() }) as never,
  resolve: (row: object, _args: object, ctx: GraphContext) => {
    const { assistant } = row as { assistant: typeof Assistant.$inferType | null };
    return assistant && mayUseAssistant(ctx, assistant.id) ? assistant : null;
  },
});

const AssistantFilter = builder.inputType('AssistantFilter', {
  description: 'Selects assistants that meet all of the given conditions.',
  fields: (t) => ({
    search: t.string({
      description: 'A text that the name or the description contains, case-insensitive: at most 1000 characters.',
    }),
    model: t.string({
      description: 'The model that runs of the assistant use, also where it is the default: a name as in `model`.',
    }),
    metadata: t.field({ type: 'Metadata', description: 'Pairs that the metadata contains.' }),
  }),
});

const assistants = listOf(Assistant, {
  model: 'assistant',
  noun: 'assistant',
  filter: { type: AssistantFilter, default: 'all assistants' },
  order: orderingsOf({
    list: 'assistants',
    typeName: 'Assistant',
    fields: {
      CREATED_AT: { name: 'createdAt', type: 'time', description: 'The time of creation.' },
      UPDATED_AT: { name: 'updatedAt', type: 'time', description: 'The time of the last update.' },
      NAME: {
        name: 'name',
        type: 'text',
        nullable: true,
        description: 'The name. Assistants without a name sort last in ascending order.',
      },
    },
    field: 'CREATED_AT',
    direction: 'DESC',
  })('DESC'),
  where: async (filter, ctx) => {
    requireScope(ctx, 'ASSISTANTS_READ');
    return { AND: [assistantsVisibleTo(ctx.actor), await assistantsWhere(ctx, filter)] };
  },
});

builder.queryField('assistant', (t) =>
  t.prismaField({
    type: Assistant,
    nullable: true,
    description: 'Returns an assistant. Null if no visible assistant has this id.',
    args: { id: t.arg.id({ required: true, description: 'The id of the assistant.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'ASSISTANTS_READ');
      const where = { AND: [{ id }, assistantsVisibleTo(ctx.actor)] };
      return isId('Assistant', id) ? ctx.db.assistant.findFirst({ ...query, where }) : null;
    },
  }),
);
builder.queryField(
  'assistants',
  assistants.root(
    'Lists the assistants that you may use: all of the workspace for an API key, for an end user those that are open to them.',
  ),
);

/** The fields that the inputs for creating and updating an assistant share. */
const configurationInputs = (t: InputFieldBuilder) => ({
  name: t.string({ description: 'The name, for people: at most 256 characters.' }),
  description: t.string({ description: 'The purpose, for people: at most 512 characters.' }),
  model: t.string({
    description:
      'The model: `provider/model`, or a bare name if a configured provider has it. Null: the default of the workspace or the server.',
  }),
  instructions: t.string({
    description: 'System instructions, which the model reads before the conversation: at most 256,000 characters.',
  }),
  tools: t.field({
    type: [ToolInput],
    description: 'The tools that the model can call: at most 128, each name and each plugin once.',
  }),
  fileIds: t.idList({ description: 'The files that tools can read and search: at most 1000 ids.' }),
  temperature: t.float({ description: temperature }),
  topP: t.float({ description: topP }),
  maxCompletionTokens: t.int({ description: maxCompletionTokens }),
  responseFormat: t.field({ type: ResponseFormatInput, description: responseFormat }),
  ...settingInputs(t, { null: "Null: the provider's default.", list: '' }),
  metadata: t.field({ type: 'Metadata', description: metadataDescription }),
});

const CreateAssistantInput = builder.inputType('CreateAssistantInput', {
  description: 'The configuration of a new assistant. Every field is optional.',
  fields: configurationInputs,
});

const UpdateAssistantInput = builder.inputType('UpdateAssistantInput', {
  description:
    'The fields to update. An absent field keeps its value; null clears it. For `tools`, `fileIds` and `metadata`, null keeps the value; an empty list or object clears it.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The assistant to update.' }),
    ...configurationInputs(t),
  }),
});

const DeleteAssistantInput = builder.inputType('DeleteAssistantInput', {
  description: 'Selects the assistant to delete.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The assistant to delete.' }),
    deleteThreads: t.boolean({
      defaultValue: false,
      description:
        'Whether to delete the threads of the assistant as well, which needs THREADS_WRITE. If false, an assistant with threads is refused.',
    }),
  }),
});

builder.mutationFields((t) => ({
  createAssistant: t.field({
    type: nodePayload('CreateAssistantPayload', 'assistant', Assistant, 'The assistant that was created.'),
    description:
      'Creates an assistant. Refused with InvalidInputError for a model or tool that the server is not configured for, with NotFoundError for unknown files and plugins, and with QuotaExceededError in a workspace with 10,000 assistants. End users are refused with ForbiddenError.',
    errors: resultErrors('CreateAssistant', [NotFoundError, InvalidInputError, ForbiddenError, QuotaExceededError]),
    args: { input: t.arg({ type: CreateAssistantInput, required: true, description: 'The assistant to create.' }) },
    resolve: async (_root, { input }, ctx) => ({ assistant: await createAssistant(ctx, input) }),
  }),
  updateAssistant: t.field({
    type: nodePayload('UpdateAssistantPayload', 'assistant', Assistant, 'The assistant that was updated.'),
    description:
      'Updates an assistant. Existing runs keep the configuration that they were created with. Refused as createAssistant is, and with NotFoundError for an unknown assistant. End users are refused with ForbiddenError.',
    errors: resultErrors('UpdateAssistant', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdateAssistantInput, required: true, description: 'The fields to update.' }) },
    resolve: async (_root, { input }, ctx) => ({ assistant: await updateAssistant(ctx, input) }),
  }),
  deleteAssistant: t.field({
    type: deletedFromWorkspace('DeleteAssistantPayload'),
    description:
      'Deletes an assistant. Refused with ConflictError if it has threads, unless `deleteThreads` is true: then its threads are deleted first and their unfinished runs cancelled. Runs and messages in other threads remain, without the link to the assistant. End users are refused with ForbiddenError.',
    errors: resultErrors('DeleteAssistant', [NotFoundError, ConflictError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeleteAssistantInput, required: true, description: 'The assistant to delete.' }) },
    resolve: async (_root, { input }, ctx) => ({ deletedId: await deleteAssistant(ctx, input) }),
  }),
}));
