import { createSessionToken, rotateSigningKey } from '../../domain/access/session-token.ts';
import { ForbiddenError, InvalidInputError, NotFoundError } from '../../domain/error.ts';
import { builder } from '../builder.ts';
import { resultErrors } from '../result-union.ts';
import { RunOverrideEnum } from './run-override.ts';
import { ScopeEnum } from './scope.ts';

const CreateSessionTokenInput = builder.inputType('CreateSessionTokenInput', {
  description: 'The properties of a session token for one end user.',
  fields: (t) => ({
    userId: t.string({
      required: true,
      description: 'Your id of the end user: 1 to 256 characters, not blank. It is the `owner` of their threads.',
    }),
    ttlSeconds: t.int({
      defaultValue: 3600,
      description: 'How long the token is valid, in seconds: 1 to 86,400 (a day).',
    }),
    scopes: t.field({
      type: [ScopeEnum],
      description:
        'The scopes of the token: ASSISTANTS_READ, THREADS_READ, THREADS_WRITE, RUNS_READ or RUNS_WRITE, as far as your key has them. Omit for all of these that your key has.',
    }),
    assistantIds: t.idList({
      description:
        "The assistants that the end user may use and see: at most 100. An empty list: none. Omit for those of the workspace's settings.",
    }),
    overrides: t.field({
      type: [RunOverrideEnum],
      description:
        "What the end user may choose, instead of the workspace's settings: less or more. It adds no scope: choices of a run still require RUNS_WRITE. Omit for `endUsers.overrides` of the workspace's settings, which open nothing by default.",
    }),
  }),
});

const CreateSessionTokenPayload = builder.simpleObject('CreateSessionTokenPayload', {
  description: 'The session token that was created.',
  fields: (t) => ({
    token: t.string({
      nullable: false,
      description: 'The token, a JWT: the browser sends it as `Authorization: Bearer <token>`.',
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: false,
      description: 'When the token expires; not later than the key that created it.',
    }),
  }),
});

const RotateSigningKeyInput = builder.inputType('RotateSigningKeyInput', {
  description: 'Options for rotating the signing key.',
  fields: (t) => ({
    graceSeconds: t.int({
      defaultValue: 86_400,
      description:
        'How long existing tokens remain valid at most, in seconds: 0 to 86,400 (a day). 0 signs out all end users immediately.',
    }),
  }),
});

const RotateSigningKeyPayload = builder.simpleObject('RotateSigningKeyPayload', {
  description: 'Confirms the rotation.',
  fields: (t) => ({
    validUntil: t.field({
      type: 'DateTime',
      nullable: false,
      description: 'The latest time until which tokens with an earlier signature remain valid.',
    }),
  }),
});

builder.mutationFields((t) => ({
  createSessionToken: t.field({
    type: CreateSessionTokenPayload,
    description:
      'Creates a short-lived token for the browser of one end user. It acts in the workspace of this request, sees and changes only the threads of that user, and can use assistants, but choose nothing of them unless `overrides` opens it. It expires with your key at the latest, and revoking the key revokes it. Refused with ForbiddenError for scopes that your key does not have, with InvalidInputError for scopes that end users cannot have, and with NotFoundError for an unknown assistant.',
    errors: resultErrors('CreateSessionToken', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: {
      input: t.arg({
        type: CreateSessionTokenInput,
        required: true,
        description: 'The end user, and the properties of the token.',
      }),
    },
    resolve: (_root, { input }, ctx) => createSessionToken(ctx, input),
  }),
  rotateSigningKey: t.field({
    type: RotateSigningKeyPayload,
    description:
      'Replaces the key that signs session tokens, for all workspaces. Existing tokens remain valid for `graceSeconds` at most; streams with an invalid token close within 5 s. The server rotates the key automatically every 30 days.',
    errors: resultErrors('RotateSigningKey', [InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: RotateSigningKeyInput, required: true, description: 'Options for the rotation.' }) },
    resolve: async (_root, { input }, ctx) => ({ validUntil: await rotateSigningKey(ctx, input) }),
  }),
}));
