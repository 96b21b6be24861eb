import { requireScope } from '../../domain/access/access.ts';
import {
  assistantsWhere,
  createAssistant,
  deleteAssistant,
  updateAssistant,
} from '../../domain/assistant/assistant.ts';
import type { DomainContext } from '../../domain/context.ts';
import { ConflictError, ForbiddenError, InvalidInputError, NotFoundError } from '../../domain/error.ts';
import { effectiveModel } from '../../domain/run/generation.ts';
import { currentWorkspace } from '../../domain/workspace/workspace.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import { rootList } from '../list.ts';
import { deletedPayload, resultErrors } from '../result-union.ts';
import { File, filesOf } from './file.ts';
import { OrderDirection } from './scope.ts';
import { shownTools, Tool, ToolInput } from './tool.ts';

/** The name of the model in force: once a request for the workspace's default, whatever number of assistants. */
async function defaultModels(ctx: DomainContext, keys: readonly 'default'[]): Promise<string[]> {
  const { defaultModel } = await currentWorkspace(ctx);
  return keys.map(() => effectiveModel(ctx, null, defaultModel));
}

/** A model with instructions and tools. */
export const Assistant = builder.prismaNode('Assistant', {
  nullable: true,
  description: 'A model with instructions and tools.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'ASSISTANTS_READ');
    return { workspaceId_id: { workspaceId: ctx.workspaceId, id } };
  },
  fields: (t) => ({
    name: t.exposeString('name', { nullable: true, description: 'Its name.' }),
    description: t.exposeString('description', { nullable: true, description: 'What it is for.' }),
    model: t.string({
      description: "The model: its own, or the workspace's or the server's default.",
      resolve: ({ model }, _args, ctx) => model ?? ctx.load(defaultModels, 'default' as const),
    }),
    instructions: t.exposeString('instructions', {
      nullable: true,
      description: 'What the model is told before the conversation.',
    }),
    tools: t.field({
      type: [Tool],
      description: 'What it can call.',
      resolve: ({ tools }, _args, ctx) => shownTools(ctx, tools) as never,
    }),
    temperature: t.exposeFloat('temperature', {
      nullable: true,
      description: 'From 0 to 2; null: the provider decides.',
    }),
    topP: t.exposeFloat('topP', { nullable: true, description: 'From 0 to 1; null: the provider decides.' }),
    maxCompletionTokens: t.exposeInt('maxCompletionTokens', {
      nullable: true,
      description: 'How many tokens a run may write; null: no limit.',
    }),
    responseFormat: t.expose('responseFormat', {
      type: 'JSON',
      nullable: true,
      description: "How answers are shaped, in the form of OpenAI's response_format.",
    }),
    files: t.field({
      type: [File],
      description: 'The files that its runs can use.',
      select: { files: { orderBy: { fileId: 'asc' }, select: { fileId: true } } },
      resolve: ({ files }, _args, ctx) => filesOf(ctx, files),
    }),
    metadata: t.expose('metadata', { type: 'Metadata', description: 'Your own pairs.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
  }),
});

/** An assistant in a list. */
const AssistantEdge = builder.edgeObject({
  type: Assistant,
  name: 'AssistantEdge',
  description: 'One assistant in a list.',
});
const AssistantConnection = builder.connectionObject(
  { type: Assistant, name: 'AssistantConnection', description: 'A page of assistants.' },
  AssistantEdge,
);

const AssistantOrderField = builder.enumType('AssistantOrderField', {
  description: 'What assistants are ordered by.',
  values: {
    CREATED_AT: { description: 'When they were made.' },
    UPDATED_AT: { description: 'When they were last changed.' },
    NAME: { description: 'Their names; one without a name stands behind all others.' },
  } as const,
});

const orderColumns = {
  CREATED_AT: { name: 'createdAt', type: 'time' },
  UPDATED_AT: { name: 'updatedAt', type: 'time' },
  NAME: { name: 'name', type: 'text', nullable: true },
} as const;

const AssistantOrder = builder.inputType('AssistantOrder', {
  description: 'The order of assistants.',
  fields: (t) => ({
    field: t.field({
      type: AssistantOrderField,
      required: true,
      defaultValue: 'CREATED_AT',
      description: 'What to order by.',
    }),
    direction: t.field({
      type: OrderDirection,
      required: true,
      defaultValue: 'DESC',
      description: 'Which end comes first.',
    }),
  }),
});

const AssistantFilter = builder.inputType('AssistantFilter', {
  description: 'Which assistants; all conditions hold.',
  fields: (t) => ({
    search: t.string({ description: 'A text in the name or the description, whatever its case.' }),
    model: t.string({ description: 'The model in force.' }),
    metadata: t.field({ type: 'Metadata', description: 'All of these pairs.' }),
  }),
});

builder.queryFields((t) => ({
  assistant: t.prismaField({
    type: Assistant,
    nullable: true,
    description: 'An assistant; null when there is none with this id.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'ASSISTANTS_READ');
      return isId('Assistant', id) ? ctx.db.assistant.findFirst({ ...query, where: { id } }) : null;
    },
  }),
  assistants: t.connection(
    {
      type: Assistant,
      description: 'The assistants of the workspace.',
      args: {
        filter: t.arg({ type: AssistantFilter, description: 'Which ones; absent: all.' }),
        orderBy: t.arg({ type: AssistantOrder, description: 'Their order; absent: newest first.' }),
      },
      resolve: async (_root, args, ctx, info) => {
        requireScope(ctx, 'ASSISTANTS_READ');
        const { field = 'CREATED_AT', direction = 'DESC' } = args.orderBy ?? {};
        const columns = [orderColumns[field], { name: 'id', type: 'text' as const }];
        const where = await assistantsWhere(ctx, args.filter);
        const list = {
          model: 'assistant',
          typeName: 'Assistant',
          order: { list: 'assistants', columns, direction },
          where,
        } as const;
        return rootList(ctx.db, ctx, info, list as never, args) as never;
      },
    },
    AssistantConnection,
    AssistantEdge,
  ),
}));

const described = {
  name: 'Its name: up to 256 characters.',
  description: 'What it is for: up to 512 characters.',
  model: 'The model: `provider/model`, or a bare name; absent: the default.',
  instructions: 'What the model is told before the conversation: up to 256,000 characters.',
  tools: 'What it can call: up to 128 tools.',
  fileIds: 'Files for its runs, up to 1000: its tools read and search them.',
  temperature: 'From 0 to 2.',
  topP: 'From 0 to 1.',
  maxCompletionTokens: 'How many tokens a run may write, over all its answers.',
  responseFormat: "How answers are shaped, in the form of OpenAI's response_format.",
  metadata: 'Your own pairs.',
};

const CreateAssistantInput = builder.inputType('CreateAssistantInput', {
  description: 'An assistant to make.',
  fields: (t) => ({
    name: t.string({ description: described.name }),
    description: t.string({ description: described.description }),
    model: t.string({ description: described.model }),
    instructions: t.string({ description: described.instructions }),
    tools: t.field({ type: [ToolInput], description: described.tools }),
    fileIds: t.idList({ description: described.fileIds }),
    temperature: t.float({ description: described.temperature }),
    topP: t.float({ description: described.topP }),
    maxCompletionTokens: t.int({ description: described.maxCompletionTokens }),
    responseFormat: t.field({ type: 'JSON', description: described.responseFormat }),
    metadata: t.field({ type: 'Metadata', description: described.metadata }),
  }),
});

const UpdateAssistantInput = builder.inputType('UpdateAssistantInput', {
  description: 'A change of an assistant: absent keeps, null clears.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The assistant.' }),
    name: t.string({ description: described.name }),
    description: t.string({ description: described.description }),
    model: t.string({ description: described.model }),
    instructions: t.string({ description: described.instructions }),
    tools: t.field({ type: [ToolInput], description: described.tools }),
    fileIds: t.idList({ description: described.fileIds }),
    temperature: t.float({ description: described.temperature }),
    topP: t.float({ description: described.topP }),
    maxCompletionTokens: t.int({ description: described.maxCompletionTokens }),
    responseFormat: t.field({ type: 'JSON', description: described.responseFormat }),
    metadata: t.field({ type: 'Metadata', description: described.metadata }),
  }),
});

const DeleteAssistantInput = builder.inputType('DeleteAssistantInput', {
  description: 'An assistant to delete.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The assistant.' }),
    deleteThreads: t.boolean({
      defaultValue: false,
      description: 'Whether its threads go with it; else it is refused while it has any.',
    }),
  }),
});

const assistantPayload = (name: string, description: string) =>
  builder.simpleObject(name, {
    description,
    fields: (t) => ({
      assistant: t.field({ type: Assistant, nullable: false, description: 'The assistant as it is now.' }),
    }),
  });
const CreateAssistantPayload = assistantPayload('CreateAssistantPayload', 'The new assistant.');
const UpdateAssistantPayload = assistantPayload('UpdateAssistantPayload', 'The changed assistant.');

builder.mutationFields((t) => ({
  createAssistant: t.field({
    type: CreateAssistantPayload,
    description: 'Makes an assistant.',
    errors: resultErrors('CreateAssistant', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: CreateAssistantInput, required: true, description: 'The assistant to make.' }) },
    resolve: async (_root, { input }, ctx) => ({ assistant: await createAssistant(ctx, input) }),
  }),
  updateAssistant: t.field({
    type: UpdateAssistantPayload,
    description: 'Changes an assistant; runs that exist keep what they were created with.',
    errors: resultErrors('UpdateAssistant', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdateAssistantInput, required: true, description: 'The change.' }) },
    resolve: async (_root, { input }, ctx) => ({ assistant: await updateAssistant(ctx, input) }),
  }),
  deleteAssistant: t.field({
    type: deletedPayload('DeleteAssistantPayload'),
    description: 'Deletes an assistant; refused while threads use it, unless they go with it.',
    errors: resultErrors('DeleteAssistant', [NotFoundError, ConflictError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeleteAssistantInput, required: true, description: 'Which one.' }) },
    resolve: async (_root, { input }, ctx) => ({ deletedId: await deleteAssistant(ctx, input) }),
  }),
}));
