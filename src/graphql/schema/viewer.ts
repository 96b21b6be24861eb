import { builder } from '../builder.ts';
import { ApiKey } from './api-key.ts';
import { ScopeEnum } from './scope.ts';
import { Workspace } from './workspace.ts';

const ActorKind = builder.enumType('ActorKind', {
  description: 'What kind of credential a request came with.',
  values: {
    API_KEY: { description: 'A program with a key.' },
    USER: { description: 'A person behind a session token, who sees only their own threads.' },
  } as const,
});

const Viewer = builder.objectRef<object>('Viewer').implement({
  description: 'Who is asking.',
  fields: (t) => ({
    kind: t.field({
      type: ActorKind,
      description: 'What kind of credential this is.',
      resolve: (_viewer, _args, { actor }) => (actor.kind === 'USER' ? 'USER' : 'API_KEY'),
    }),
    apiKey: t.prismaField({
      type: ApiKey,
      nullable: true,
      description: 'The key that this request came with; null for a session token.',
      resolve: (query, _viewer, _args, { actor, database }) =>
        // The key may belong to another workspace than the one the request acts in.
        actor.kind === 'API_KEY' ? database.apiKey.findFirst({ ...query, where: { id: actor.keyId } }) : null,
    }),
    userId: t.string({
      nullable: true,
      description: 'The end user; null for a key.',
      resolve: (_viewer, _args, { actor }) => (actor.kind === 'USER' ? actor.userId : null),
    }),
    scopes: t.field({
      type: [ScopeEnum],
      description: 'What you may do.',
      resolve: (_viewer, _args, { actor }) => [...actor.scopes],
    }),
    workspace: t.prismaField({
      type: Workspace,
      description: 'The workspace that this request acts in.',
      resolve: (query, _viewer, _args, ctx) =>
        ctx.db.workspace.findUniqueOrThrow({ ...query, where: { id: ctx.workspaceId } }),
    }),
  }),
});

builder.queryField('viewer', (t) => t.field({ type: Viewer, description: 'Who is asking.', resolve: () => ({}) }));
