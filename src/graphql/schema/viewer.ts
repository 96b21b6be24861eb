import { overridesOf, rightsOfActor } from '../../domain/access/user-rights.ts';
import { builder } from '../builder.ts';
import { ApiKey } from './api-key.ts';
import { RunOverrideEnum } from './run-override.ts';
import { ScopeEnum } from './scope.ts';
import { Workspace } from './workspace.ts';

const ActorKind = builder.enumType('ActorKind', {
  description: 'The kind of a credential.',
  values: {
    API_KEY: { description: 'An API key, which a program holds.' },
    USER: {
      description:
        'The token of an end user: a session token, or one of your identity provider. End users see only their own threads.',
    },
  } as const,
});

const Viewer = builder.objectRef<object>('Viewer').implement({
  description: 'The credential of this request, and what it allows.',
  fields: (t) => ({
    kind: t.field({
      type: ActorKind,
      description: 'The kind of the credential.',
      resolve: (_viewer, _args, { actor }) => (actor.kind === 'USER' ? 'USER' : 'API_KEY'),
    }),
    apiKey: t.prismaField({
      type: ApiKey,
      nullable: true,
      description: 'The API key of this request. Null for an end user.',
      resolve: (query, _viewer, _args, { actor, database }) =>
        // The key can belong to another workspace than that of the request.
        actor.kind === 'API_KEY' ? database.apiKey.findFirst({ ...query, where: { id: actor.keyId } }) : null,
    }),
    userId: t.string({
      nullable: true,
      description: 'The id of the end user, which is the `owner` of their threads. Null for an API key.',
      resolve: (_viewer, _args, { actor }) => (actor.kind === 'USER' ? actor.userId : null),
    }),
    scopes: t.field({
      type: [ScopeEnum],
      description: 'The scopes of the credential: what it may do.',
      resolve: (_viewer, _args, { actor }) => [...actor.scopes],
    }),
    overrides: t.field({
      type: [RunOverrideEnum],
      description: 'What the credential may choose for a run: everything for an API key, what is open to an end user.',
      resolve: (_viewer, _args, ctx) => [...overridesOf(ctx)],
    }),
    models: t.stringList({
      nullable: true,
      description: 'The models that an end user may choose if `overrides` has MODEL. Null: every model.',
      resolve: (_viewer, _args, ctx) => {
        const models = rightsOfActor(ctx)?.models ?? null;
        return models && [...models];
      },
    }),
    workspace: t.prismaField({
      type: Workspace,
      description: 'The workspace that this request acts in.',
      resolve: (query, _viewer, _args, ctx) =>
        ctx.db.workspace.findUniqueOrThrow({ ...query, where: { id: ctx.workspaceId } }),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    description: 'Returns the credential of this request, and what it allows.',
    resolve: () => ({}),
  }),
);
