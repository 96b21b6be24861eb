import { requireScope } from '../../domain/access/access.ts';
import { builder } from '../builder.ts';
import { ScopeEnum } from './scope.ts';

/** A key, without its secret. */
export const ApiKey = builder.prismaNode('ApiKey', {
  nullable: true,
  description: 'A key that a program acts with. Its secret is shown once, when it is made.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'WORKSPACE_ADMIN');
    return { workspaceId_id: { workspaceId: ctx.workspaceId, id } };
  },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name.' }),
    prefix: t.exposeString('prefix', {
      description: 'How its secret begins, to tell keys apart; empty for one that the operator chose.',
    }),
    scopes: t.expose('scopes', { type: [ScopeEnum], description: 'What it may do.' }),
    allWorkspaces: t.exposeBoolean('allWorkspaces', {
      description: 'Whether it may act in every workspace, also in those that are yet to be made.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true, description: 'When it ends; null: never.' }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to the minute or so.',
    }),
    revokedAt: t.expose('revokedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked; null: it was not.',
    }),
  }),
});

/** A key in a list. */
export const ApiKeyEdge = builder.edgeObject({ type: ApiKey, name: 'ApiKeyEdge', description: 'One key in a list.' });
/** A page of keys. */
export const ApiKeyConnection = builder.connectionObject(
  { type: ApiKey, name: 'ApiKeyConnection', description: 'A page of keys.' },
  ApiKeyEdge,
);
