import { requireScope } from '../../domain/access/access.ts';
import { workspacesVisibleTo } from '../../domain/access/key-workspaces.ts';
import { ConflictError, ForbiddenError, InvalidInputError, NotFoundError } from '../../domain/error.ts';
import { createWorkspace, deleteWorkspace, updateWorkspace } from '../../domain/workspace/workspace.ts';
import { builder } from '../builder.ts';
import { childList, newestFirst, rootList } from '../list.ts';
import { deletedPayload, resultErrors } from '../result-union.ts';
import { ApiKey, ApiKeyConnection, ApiKeyEdge } from './api-key.ts';

const StepRecording = builder.enumType('StepRecording', {
  description: 'How much of the steps of runs is kept.',
  values: {
    FULL: { description: 'Everything.' },
    SUMMARY: { description: 'Status, timing and usage, but not the arguments and outputs of calls.' },
    NONE: { description: 'As SUMMARY when the run ends, and nothing from about a minute later on.' },
  } as const,
});

const WorkspaceSettings = builder.prismaObject('Workspace', {
  variant: 'WorkspaceSettings',
  description: 'What holds for everything in a workspace.',
  fields: (t) => ({
    defaultModel: t.exposeString('defaultModel', {
      nullable: true,
      description: "The model where an assistant names none; null: the server's.",
    }),
    threadTtlDays: t.exposeInt('threadTtlDays', {
      nullable: true,
      description: 'After so many days without activity a thread is deleted; null: never.',
    }),
    maxConcurrentRuns: t.exposeInt('maxConcurrentRuns', {
      description: 'How many runs of the workspace are executed at a time.',
    }),
    runExpirySeconds: t.exposeInt('runExpirySeconds', { description: 'How long a run waits for tool outputs.' }),
    maxRunSeconds: t.exposeInt('maxRunSeconds', {
      description: 'How long a run may take in all, from its start: then it ends EXPIRED.',
    }),
    recordSteps: t.expose('recordSteps', { type: StepRecording, description: 'How much of the steps is kept.' }),
  }),
});

/** The wall around data. */
export const Workspace = builder.prismaNode('Workspace', {
  nullable: true,
  description: 'The wall around data: nothing in one workspace can be seen from another.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  // The one that the request acts in; the others that a key may enter are in the list `workspaces`.
  findUnique: (id, ctx) => ({ id: ctx.workspaceId, AND: [{ id }] }),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    isDefault: t.exposeBoolean('isDefault', { description: 'Whether it is the one that the server came with.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    settings: t.variant(WorkspaceSettings, { description: 'What holds for everything in it.' }),
    apiKeys: t.connection(
      {
        type: ApiKey,
        description: 'Its keys, newest first.',
        ...childList({
          relation: 'apiKeys',
          model: 'apiKey',
          typeName: 'ApiKey',
          parentColumn: 'workspaceId',
          // The parents may be other workspaces, which the actor has been shown.
          client: (ctx) => ctx.database,
          order: () => newestFirst('apiKeys'),
          where: (_args, ctx) => {
            requireScope(ctx, 'WORKSPACE_ADMIN');
            return {};
          },
        }),
      },
      ApiKeyConnection,
      ApiKeyEdge,
    ),
  }),
});

const WorkspaceEdge = builder.edgeObject({
  type: Workspace,
  name: 'WorkspaceEdge',
  description: 'One workspace in a list.',
});
const WorkspaceConnection = builder.connectionObject(
  { type: Workspace, name: 'WorkspaceConnection', description: 'A page of workspaces.' },
  WorkspaceEdge,
);

builder.queryField('workspace', (t) =>
  t.prismaField({
    type: Workspace,
    description: 'The workspace that this request acts in.',
    resolve: (query, _root, _args, ctx) =>
      ctx.db.workspace.findUniqueOrThrow({ ...query, where: { id: ctx.workspaceId } }),
  }),
);

builder.queryField('workspaces', (t) =>
  t.connection(
    {
      type: Workspace,
      description: 'The workspaces that you may act in, newest first.',
      resolve: (_root, args, ctx, info) =>
        // The one list that is not inside a workspace: `where` says which of them the actor may enter.
        rootList(
          ctx.database,
          ctx,
          info,
          {
            model: 'workspace',
            typeName: 'Workspace',
            order: newestFirst('workspaces'),
            where: workspacesVisibleTo(ctx),
          },
          args,
        ) as never,
    },
    WorkspaceConnection,
    WorkspaceEdge,
  ),
);

const WorkspaceSettingsInput = builder.inputType('WorkspaceSettingsInput', {
  description: 'Settings to change: absent keeps, null clears.',
  fields: (t) => ({
    defaultModel: t.string({ description: "The model where an assistant names none; null: the server's." }),
    threadTtlDays: t.int({ description: 'After so many days without activity a thread is deleted; null: never.' }),
    maxConcurrentRuns: t.int({ description: 'How many runs are executed at a time.' }),
    runExpirySeconds: t.int({ description: 'How long a run waits for tool outputs: at least 10.' }),
    maxRunSeconds: t.int({ description: 'How long a run may take in all, from its start: at least 1.' }),
    recordSteps: t.field({ type: StepRecording, description: 'How much of the steps is kept.' }),
  }),
});

const CreateWorkspaceInput = builder.inputType('CreateWorkspaceInput', {
  description: 'A workspace to make.',
  fields: (t) => ({ name: t.string({ required: true, description: 'Its name: 1 to 256 characters.' }) }),
});

const UpdateWorkspaceInput = builder.inputType('UpdateWorkspaceInput', {
  description: 'A change of a workspace: absent keeps.',
  fields: (t) => ({
    id: t.id({ description: 'The workspace; absent: the one that this request acts in.' }),
    name: t.string({ description: 'A new name.' }),
    settings: t.field({ type: WorkspaceSettingsInput, description: 'Settings to change.' }),
  }),
});

const DeleteWorkspaceInput = builder.inputType('DeleteWorkspaceInput', {
  description: 'A workspace to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The workspace.' }) }),
});

const workspacePayload = (name: string, description: string) =>
  builder.objectRef<{ id: string }>(name).implement({
    description,
    fields: (t) => ({
      workspace: t.prismaField({
        type: Workspace,
        description: 'The workspace as it is now.',
        // It may be another than the one that the request acts in; the mutation has seen to who may.
        resolve: (query, { id }, _args, ctx) => ctx.database.workspace.findUniqueOrThrow({ ...query, where: { id } }),
      }),
    }),
  });

builder.mutationFields((t) => {
  const CreateWorkspacePayload = workspacePayload('CreateWorkspacePayload', 'The new workspace.');
  const UpdateWorkspacePayload = workspacePayload('UpdateWorkspacePayload', 'The changed workspace.');
  return {
    createWorkspace: t.field({
      type: CreateWorkspacePayload,
      description: 'Makes a workspace.',
      errors: resultErrors('CreateWorkspace', [InvalidInputError, ForbiddenError]),
      args: { input: t.arg({ type: CreateWorkspaceInput, required: true, description: 'The workspace to make.' }) },
      resolve: (_root, { input }, ctx) => createWorkspace(ctx, input),
    }),
    updateWorkspace: t.field({
      type: UpdateWorkspacePayload,
      description: 'Renames a workspace or changes its settings.',
      errors: resultErrors('UpdateWorkspace', [NotFoundError, InvalidInputError, ForbiddenError]),
      args: { input: t.arg({ type: UpdateWorkspaceInput, required: true, description: 'The change.' }) },
      resolve: (_root, { input }, ctx) => updateWorkspace(ctx, input),
    }),
    deleteWorkspace: t.field({
      type: deletedPayload('DeleteWorkspacePayload'),
      description: 'Deletes a workspace with all it holds, after cancelling what runs.',
      errors: resultErrors('DeleteWorkspace', [NotFoundError, ConflictError, InvalidInputError, ForbiddenError]),
      args: { input: t.arg({ type: DeleteWorkspaceInput, required: true, description: 'Which one.' }) },
      resolve: async (_root, { input }, ctx) => ({ deletedId: await deleteWorkspace(ctx, input) }),
    }),
  };
});
