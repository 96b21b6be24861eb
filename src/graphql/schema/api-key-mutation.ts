import { queryFromInfo } from '@pothos/plugin-prisma';
import { createApiKey, revokeApiKey, rotateApiKey, updateApiKey } from '../../domain/access/api-key.ts';
import { workspacesOfKeys } from '../../domain/access/key-workspaces.ts';
import type { DomainContext } from '../../domain/context.ts';
import { ConflictError, ForbiddenError, InvalidInputError, NotFoundError } from '../../domain/error.ts';
import { builder } from '../builder.ts';
import { resultErrors } from '../result-union.ts';
import { ApiKey } from './api-key.ts';
import { ScopeEnum } from './scope.ts';
import { Workspace } from './workspace.ts';

interface WorkspacesKey {
  id: string;
  /** What is selected of the workspaces: keys in one list share it. */
  query: Parameters<typeof workspacesOfKeys>[2];
}

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
    description: 'The workspaces that it was let into by name, its own first; of those only what you may enter, too.',
    resolve: ({ id }, _args, ctx, info) => {
      const query = queryFromInfo({ context: ctx, info, typeName: 'Workspace' });
      return ctx.load(workspacesOf, { id, query }) as never;
    },
  }),
);

const described = {
  name: 'What it is for: 1 to 256 characters.',
  scopes: 'What it may do: nothing that your own key may not.',
  workspaceIds: 'Further workspaces that it may act in, at most 100: ones that your own key may enter.',
  allWorkspaces: 'Whether it may act in every workspace, as only a key may allow that can do so itself.',
};

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'A key to make, for the workspace that this request acts in.',
  fields: (t) => ({
    name: t.string({ required: true, description: described.name }),
    scopes: t.field({ type: [ScopeEnum], required: true, description: described.scopes }),
    expiresAt: t.field({ type: 'DateTime', description: 'When it ends; absent: when your own key does, or never.' }),
    workspaceIds: t.idList({ description: described.workspaceIds }),
    allWorkspaces: t.boolean({ defaultValue: false, description: described.allWorkspaces }),
  }),
});

const UpdateApiKeyInput = builder.inputType('UpdateApiKeyInput', {
  description: 'A change of a key: absent keeps, null clears. What it may no longer do ends within seconds.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The key.' }),
    name: t.string({ description: described.name }),
    scopes: t.field({ type: [ScopeEnum], description: described.scopes }),
    expiresAt: t.field({ type: 'DateTime', description: 'When it ends; null: never.' }),
    workspaceIds: t.idList({ description: described.workspaceIds }),
    allWorkspaces: t.boolean({ description: described.allWorkspaces }),
  }),
});

const RotateApiKeyInput = builder.inputType('RotateApiKeyInput', {
  description: 'A key to give a new secret.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The key.' }),
    graceSeconds: t.int({ defaultValue: 3600, description: 'How long the secret it had stays good: 0 to 2592000.' }),
  }),
});

const RevokeApiKeyInput = builder.inputType('RevokeApiKeyInput', {
  description: 'A key to end.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The key.' }) }),
});

const apiKey = 'The key as it is now.';
const withSecret = (name: string, description: string) =>
  builder.simpleObject(name, {
    description,
    fields: (t) => ({
      apiKey: t.field({ type: ApiKey, nullable: false, description: apiKey }),
      secret: t.string({
        nullable: false,
        description: 'What to send as `Authorization: Bearer <secret>`. It is shown here and never again.',
      }),
    }),
  });
const withoutSecret = (name: string, description: string) =>
  builder.simpleObject(name, {
    description,
    fields: (t) => ({ apiKey: t.field({ type: ApiKey, nullable: false, description: apiKey }) }),
  });

const refused = [NotFoundError, ConflictError, InvalidInputError, ForbiddenError];

builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: withSecret('CreateApiKeyPayload', 'The new key.'),
    description: 'Makes a key, which can do nothing that your own cannot.',
    errors: resultErrors('CreateApiKey', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: CreateApiKeyInput, required: true, description: 'The key to make.' }) },
    resolve: (_root, { input }, ctx) => createApiKey(ctx, input),
  }),
  updateApiKey: t.field({
    type: withoutSecret('UpdateApiKeyPayload', 'The changed key.'),
    description: 'Changes what a key may do, and until when.',
    errors: resultErrors('UpdateApiKey', refused),
    args: { input: t.arg({ type: UpdateApiKeyInput, required: true, description: 'The change.' }) },
    resolve: async (_root, { input }, ctx) => ({ apiKey: await updateApiKey(ctx, input) }),
  }),
  rotateApiKey: t.field({
    type: withSecret('RotateApiKeyPayload', 'The key with its new secret.'),
    description: 'Gives a key a new secret; the one it had stays good for a while.',
    errors: resultErrors('RotateApiKey', refused),
    args: { input: t.arg({ type: RotateApiKeyInput, required: true, description: 'Which one.' }) },
    resolve: (_root, { input }, ctx) => rotateApiKey(ctx, input),
  }),
  revokeApiKey: t.field({
    type: withoutSecret('RevokeApiKeyPayload', 'The key that has ended.'),
    description: 'Ends a key, the session tokens made with it, and all that is open with either, within seconds.',
    errors: resultErrors('RevokeApiKey', refused),
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true, description: 'Which one.' }) },
    resolve: async (_root, { input }, ctx) => ({ apiKey: await revokeApiKey(ctx, input) }),
  }),
}));
