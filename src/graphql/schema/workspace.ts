import { workspacesVisibleTo } from '../../domain/access/key-workspaces.ts';
import { rightsOf } from '../../domain/access/user-rights.ts';
import {
  ConflictError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  QuotaExceededError,
} from '../../domain/error.ts';
import { createWorkspace, deleteWorkspace, updateWorkspace } from '../../domain/workspace/workspace.ts';
import { builder, type InputFieldBuilder } from '../builder.ts';
import type { Condition } from '../connection.ts';
import { listOf } from '../list-of.ts';
import { byAgeOrName } from '../list-order.ts';
import { deletedPayload, resultErrors } from '../result-union.ts';
import { apiKeys } from './api-key.ts';
import { EndUserSettings, EndUserSettingsInput } from './end-user-settings.ts';

const StepRecording = builder.enumType('StepRecording', {
  description: 'How much of the steps of a run remains stored after the run has ended.',
  values: {
    FULL: { description: 'Everything.' },
    SUMMARY: {
      description:
        'Status, timing and usage; not the reasoning, nor the arguments, outputs and search results of tool calls.',
    },
    NONE: { description: 'As SUMMARY when the run ends; about a minute later, the steps are deleted.' },
  } as const,
});

const described = {
  defaultModel: "The model of assistants and runs that name none. Null: the server's default model.",
  threadTtlDays: 'The days without activity after which a thread is deleted. Null: never.',
  maxConcurrentRuns:
    'The number of runs of the workspace that are executed at the same time; further runs are queued. One end user leaves a fifth of them to the others.',
  runExpirySeconds: 'How long a run waits for tool outputs before it expires, in seconds.',
  maxRunSeconds: 'How long a run may take from its start before it expires, in seconds, including waiting times.',
  endUsers: 'What end users may use and choose. Without changes: all assistants, as they are.',
  recordSteps: 'How much of the steps of a run remains stored after the run has ended. Applies to new runs.',
};

const WorkspaceSettings = builder.prismaObject('Workspace', {
  variant: 'WorkspaceSettings',
  description: 'The settings that apply to everything in a workspace.',
  fields: (t) => ({
    defaultModel: t.exposeString('defaultModel', { nullable: true, description: described.defaultModel }),
    threadTtlDays: t.exposeInt('threadTtlDays', { nullable: true, description: described.threadTtlDays }),
    maxConcurrentRuns: t.exposeInt('maxConcurrentRuns', { description: `${described.maxConcurrentRuns} Default: 50.` }),
    runExpirySeconds: t.exposeInt('runExpirySeconds', { description: `${described.runExpirySeconds} Default: 600.` }),
    maxRunSeconds: t.exposeInt('maxRunSeconds', { description: `${described.maxRunSeconds} Default: 3600.` }),
    endUsers: t.field({
      type: EndUserSettings,
      description: described.endUsers,
      resolve: (workspace) => rightsOf(workspace),
    }),
    recordSteps: t.expose('recordSteps', {
      type: StepRecording,
      description: `${described.recordSteps} Default: FULL.`,
    }),
  }),
});

/** The boundary of a tenant's data. */
export const Workspace = builder.prismaNode('Workspace', {
  nullable: true,
  description:
    'A tenant. Assistants, threads, files, plugins and API keys belong to one workspace, and nothing in it can be seen from another one.',
  id: { resolve: ({ id }) => id, description: 'Workspace id: `ws_` and a UUIDv7 (TypeID).' },
  // Only the workspace of the request. The list `workspaces` has the others that a key may act in.
  findUnique: (id, ctx) => ({ id: ctx.workspaceId, AND: [{ id }] }),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name of the workspace, for people.' }),
    isDefault: t.exposeBoolean('isDefault', {
      description: "Whether this is the server's default workspace, which cannot be deleted.",
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the workspace was created.' }),
    settings: t.variant(WorkspaceSettings, { description: 'The settings that apply to everything in the workspace.' }),
  }),
});

builder.prismaObjectField(
  Workspace,
  'apiKeys',
  apiKeys.child({
    description: 'The API keys that belong to the workspace, newest first, including revoked and expired ones.',
    relation: 'apiKeys',
    parentColumn: 'workspaceId',
  }),
);

const workspaces = listOf(Workspace, {
  model: 'workspace',
  noun: 'workspace',
  order: byAgeOrName('workspaces', 'Workspace'),
  where: (_filter, ctx) => workspacesVisibleTo(ctx) as Condition,
  // The only list beyond the workspace of the request: `where` selects the workspaces that the actor may act in.
  client: (ctx) => ctx.database,
});

builder.queryField('workspace', (t) =>
  t.prismaField({
    type: Workspace,
    description: 'Returns the workspace that this request acts in.',
    resolve: (query, _root, _args, ctx) =>
      ctx.db.workspace.findUniqueOrThrow({ ...query, where: { id: ctx.workspaceId } }),
  }),
);
builder.queryField(
  'workspaces',
  workspaces.root(
    'Lists the workspaces that you may act in, newest first. An API key selects one with the header X-Workspace, or with `workspace` in the connectionParams of a socket.',
  ),
);

/** The name in the inputs for creating and updating a workspace. */
const nameInput = 'The name, for people: 1 to 256 characters, not blank.';

const settingsInputs = (t: InputFieldBuilder) => ({
  defaultModel: t.string({ description: `${described.defaultModel} At most 200 characters.` }),
  threadTtlDays: t.int({ description: `${described.threadTtlDays} From 1 to 36,500.` }),
  maxConcurrentRuns: t.int({ description: `${described.maxConcurrentRuns} From 1 to 100,000.` }),
  runExpirySeconds: t.int({ description: `${described.runExpirySeconds} From 10 to 2,592,000 (30 days).` }),
  maxRunSeconds: t.int({ description: `${described.maxRunSeconds} From 1 to 2,592,000 (30 days).` }),
  endUsers: t.field({ type: EndUserSettingsInput, description: described.endUsers }),
  recordSteps: t.field({ type: StepRecording, description: described.recordSteps }),
});

const WorkspaceSettingsInput = builder.inputType('WorkspaceSettingsInput', {
  description:
    'The settings to update. An absent setting keeps its value. Null clears `defaultModel` and `threadTtlDays`, and keeps the other settings.',
  fields: settingsInputs,
});

const CreateWorkspaceInput = builder.inputType('CreateWorkspaceInput', {
  description: 'A new workspace.',
  fields: (t) => ({ name: t.string({ required: true, description: nameInput }) }),
});

const UpdateWorkspaceInput = builder.inputType('UpdateWorkspaceInput', {
  description: 'The fields to update. An absent field keeps its value.',
  fields: (t) => ({
    id: t.id({ description: 'The workspace to update. Omit for the workspace that this request acts in.' }),
    name: t.string({ description: nameInput }),
    settings: t.field({ type: WorkspaceSettingsInput, description: 'The settings to update.' }),
  }),
});

const DeleteWorkspaceInput = builder.inputType('DeleteWorkspaceInput', {
  description: 'Selects the workspace to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The workspace to delete.' }) }),
});

const workspacePayload = (name: string, description: string) =>
  builder.objectRef<{ id: string }>(name).implement({
    description,
    fields: (t) => ({
      workspace: t.prismaField({
        type: Workspace,
        description: 'The state after the mutation.',
        // It can be another workspace than that of the request; the mutation has checked that the actor may act in it.
        resolve: (query, { id }, _args, ctx) => ctx.database.workspace.findUniqueOrThrow({ ...query, where: { id } }),
      }),
    }),
  });

builder.mutationFields((t) => ({
  createWorkspace: t.field({
    type: workspacePayload('CreateWorkspacePayload', 'The workspace that was created.'),
    description:
      'Creates an empty workspace with default settings. To act in it, use a key with SERVER_ADMIN, `allWorkspaces` or its id in `workspaceIds`, and name it in the header X-Workspace. Refused with QuotaExceededError on a server with 100,000 workspaces.',
    errors: resultErrors('CreateWorkspace', [InvalidInputError, ForbiddenError, QuotaExceededError]),
    args: { input: t.arg({ type: CreateWorkspaceInput, required: true, description: 'The workspace to create.' }) },
    resolve: (_root, { input }, ctx) => createWorkspace(ctx, input),
  }),
  updateWorkspace: t.field({
    type: workspacePayload('UpdateWorkspacePayload', 'The workspace that was updated.'),
    description:
      'Renames a workspace or updates its settings. Refused with InvalidInputError for a model that no configured provider has, and with NotFoundError for an unknown assistant and for a workspace that you may not act in.',
    errors: resultErrors('UpdateWorkspace', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: UpdateWorkspaceInput, required: true, description: 'The fields to update.' }) },
    resolve: (_root, { input }, ctx) => updateWorkspace(ctx, input),
  }),
  deleteWorkspace: t.field({
    type: deletedPayload('DeleteWorkspacePayload'),
    description:
      'Deletes a workspace. It disappears immediately and its credentials stop working, then its runs are cancelled; its data is purged in the background. Refused with ConflictError for the default workspace and for the one that this request acts in.',
    errors: resultErrors('DeleteWorkspace', [NotFoundError, ConflictError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeleteWorkspaceInput, required: true, description: 'The workspace to delete.' }) },
    resolve: async (_root, { input }, ctx) => ({ deletedId: await deleteWorkspace(ctx, input) }),
  }),
}));
