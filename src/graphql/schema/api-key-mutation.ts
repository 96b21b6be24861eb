import { queryFromInfo } from '@pothos/plugin-prisma';
import { createApiKey, revokeApiKey, rotateApiKey, updateApiKey } from '../../domain/access/api-key.ts';
import { workspacesOfKeys } from '../../domain/access/key-workspaces.ts';
import type { DomainContext } from '../../domain/context.ts';
import {
  ConflictError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  QuotaExceededError,
} from '../../domain/error.ts';
import { builder } from '../builder.ts';
import { nodePayload, resultErrors } from '../result-union.ts';
import { ApiKey } from './api-key.ts';
import { ScopeEnum } from './scope.ts';
import { Workspace } from './workspace.ts';

interface WorkspacesKey {
  id: string;
  /** The selection of workspace fields; the keys of one list share it. */
  query: Parameters<typeof workspacesOfKeys>[2];
}

/** Loads the workspaces of keys, with one query per selection. */
async function workspacesOf(ctx: DomainContext, keys: readonly WorkspacesKey[]): Promise<object[][]> {
  const found = new Map<WorkspacesKey, object[]>();
  for (const group of Map.groupBy(keys, ({ query }) => JSON.stringify(query)).values()) {
    const ids = group.map(({ id }) => id);
    const lists = await workspacesOfKeys(ctx, ids, (group[0] as WorkspacesKey).query);
    for (const [index, key] of group.entries()) found.set(key, lists[index] ?? []);
  }
  return keys.map((key) => found.get(key) ?? []);
}

builder.prismaObjectField(ApiKey, 'workspaces', (t) =>
  t.field({
    type: [Workspace],
    description:
      'The workspaces that the key may act in because it belongs to them or names them, its own first. Only those that you may act in are listed; see also `allWorkspaces`.',
    resolve: ({ id }, _args, ctx, info) => {
      const query = queryFromInfo({ context: ctx, info, typeName: 'Workspace' });
      return ctx.load(workspacesOf, { id, query }) as never;
    },
  }),
);

const described = {
  name: 'The name, for people: 1 to 256 characters, not blank.',
  scopes: 'The scopes of the key: at least one, and only scopes that your own key has.',
  workspaceIds:
    'Further workspaces that the key may act in: at most 100 ids of workspaces that your own key may act in.',
  allWorkspaces:
    'Whether the key may act in every workspace, including later ones. Only a key that may do so itself can allow it.',
};

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'A new API key. It belongs to the workspace that this request acts in.',
  fields: (t) => ({
    name: t.string({ required: true, description: described.name }),
    scopes: t.field({ type: [ScopeEnum], required: true, description: described.scopes }),
    expiresAt: t.field({
      type: 'DateTime',
      description:
        'When the key expires: in the future, and no later than the expiry of your own key. Omit for the expiry of your own key.',
    }),
    workspaceIds: t.idList({ description: described.workspaceIds }),
    allWorkspaces: t.boolean({ defaultValue: false, description: described.allWorkspaces }),
  }),
});

const UpdateApiKeyInput = builder.inputType('UpdateApiKeyInput', {
  description:
    'The fields to update. An absent field keeps its value. Null clears `expiresAt`, and keeps the other fields.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The API key to update.' }),
    name: t.string({ description: described.name }),
    scopes: t.field({ type: [ScopeEnum], description: described.scopes }),
    expiresAt: t.field({
      type: 'DateTime',
      description:
        'When the key expires: in the future, and no later than the expiry of your own key. Null: never, if your own key never expires.',
    }),
    workspaceIds: t.idList({ description: described.workspaceIds }),
    allWorkspaces: t.boolean({ description: described.allWorkspaces }),
  }),
});

const RotateApiKeyInput = builder.inputType('RotateApiKeyInput', {
  description: 'Selects the key that receives a new secret.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The API key to rotate.' }),
    graceSeconds: t.int({
      defaultValue: 3600,
      description: 'How long the previous secret remains valid, in seconds: 0 to 2,592,000 (30 days).',
    }),
  }),
});

const RevokeApiKeyInput = builder.inputType('RevokeApiKeyInput', {
  description: 'Selects the key to revoke.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The API key to revoke.' }) }),
});

const secretPayload = (name: string, description: string) =>
  builder.simpleObject(name, {
    description,
    fields: (t) => ({
      apiKey: t.field({ type: ApiKey, nullable: false, description: 'The state after the mutation.' }),
      secret: t.string({
        nullable: false,
        description:
          'The secret: send it as `Authorization: Bearer <secret>`. Store it now, because it is never shown again.',
      }),
    }),
  });

const refused = [NotFoundError, ConflictError, InvalidInputError, ForbiddenError];

builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: secretPayload('CreateApiKeyPayload', 'The API key that was created, with its secret.'),
    description:
      'Creates an API key. Refused with ForbiddenError for scopes, workspaces or an expiry beyond those of your own key, with NotFoundError for workspaces that you may not act in, and with QuotaExceededError in a workspace with 10,000 keys.',
    errors: resultErrors('CreateApiKey', [NotFoundError, InvalidInputError, ForbiddenError, QuotaExceededError]),
    args: { input: t.arg({ type: CreateApiKeyInput, required: true, description: 'The API key to create.' }) },
    resolve: (_root, { input }, ctx) => createApiKey(ctx, input),
  }),
  updateApiKey: t.field({
    type: nodePayload('UpdateApiKeyPayload', 'apiKey', ApiKey, 'The API key that was updated.'),
    description:
      'Updates the name, scopes, workspaces or expiry of an API key. If the key loses a permission, its open streams close within 5 s. Refused with ForbiddenError if the key can do more than your own, before or after the update, and with ConflictError for the admin key.',
    errors: resultErrors('UpdateApiKey', refused),
    args: { input: t.arg({ type: UpdateApiKeyInput, required: true, description: 'The fields to update.' }) },
    resolve: async (_root, { input }, ctx) => ({ apiKey: await updateApiKey(ctx, input) }),
  }),
  rotateApiKey: t.field({
    type: secretPayload('RotateApiKeyPayload', 'The API key with its new secret.'),
    description:
      'Replaces the secret of an API key. The previous secret remains valid for `graceSeconds`. Refused with ConflictError for an expired or revoked key, for the admin key and for a key with 10 secrets, and with ForbiddenError if the key can do more than your own.',
    errors: resultErrors('RotateApiKey', refused),
    args: { input: t.arg({ type: RotateApiKeyInput, required: true, description: 'The API key to rotate.' }) },
    resolve: (_root, { input }, ctx) => rotateApiKey(ctx, input),
  }),
  revokeApiKey: t.field({
    type: nodePayload('RevokeApiKeyPayload', 'apiKey', ApiKey, 'The API key that was revoked.'),
    description:
      'Revokes an API key and the session tokens that were created with it, for good. Their requests are refused and their open streams close within 5 s; runs continue. Revoking a key again changes nothing. Refused with ConflictError for the admin key, and with ForbiddenError if the key can do more than your own.',
    errors: resultErrors('RevokeApiKey', refused),
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true, description: 'The API key to revoke.' }) },
    resolve: async (_root, { input }, ctx) => ({ apiKey: await revokeApiKey(ctx, input) }),
  }),
}));
