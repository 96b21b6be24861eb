import { requireScope } from '../../domain/access/access.ts';
import { builder } from '../builder.ts';
import { listOf } from '../list-of.ts';
import { byAgeOrName } from '../list-order.ts';
import { ScopeEnum } from './scope.ts';

/** A credential of a program, without its secret. */
export const ApiKey = builder.prismaNode('ApiKey', {
  nullable: true,
  description: 'A credential for programs. Its secret is shown only once, when the key is created or rotated.',
  id: { resolve: ({ id }) => id, description: 'API key id: `key_` and a UUIDv7 (TypeID).' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'WORKSPACE_ADMIN');
    return { workspaceId_id: { workspaceId: ctx.workspaceId, id } };
  },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name of the key, for people.' }),
    prefix: t.exposeString('prefix', {
      description: 'The first characters of the secret, to recognize the key. Empty if the operator chose the secret.',
    }),
    scopes: t.expose('scopes', { type: [ScopeEnum], description: 'The scopes of the key: what it may do.' }),
    allWorkspaces: t.exposeBoolean('allWorkspaces', {
      description: 'Whether the key may act in every workspace, including those that are created later.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the key was created.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key expires. Null: never.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key was last used; updated about once a minute. Null: never.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the key was revoked. Null: it was not.',
    }),
  }),
});

/** The lists of API keys. */
export const apiKeys = listOf(ApiKey, {
  model: 'apiKey',
  noun: 'API key',
  order: byAgeOrName('API keys', 'ApiKey'),
  where: (_filter, ctx) => {
    requireScope(ctx, 'WORKSPACE_ADMIN');
    return {};
  },
  // The parents can be other workspaces, which the actor may see.
  client: (ctx) => ctx.database,
});
