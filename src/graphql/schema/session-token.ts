import { createSessionToken, rotateSigningKey } from '../../domain/access/session-token.ts';
import { ForbiddenError, InvalidInputError } from '../../domain/error.ts';
import { builder } from '../builder.ts';
import { resultErrors } from '../result-union.ts';
import { ScopeEnum } from './scope.ts';

const CreateSessionTokenInput = builder.inputType('CreateSessionTokenInput', {
  description: 'A token for the browser of one end user.',
  fields: (t) => ({
    userId: t.string({
      required: true,
      description: 'Your own name for the user, 1 to 256 characters: the `owner` of their threads.',
    }),
    ttlSeconds: t.int({ defaultValue: 3600, description: 'How long it is good: 1 to 86400.' }),
    scopes: t.field({
      type: [ScopeEnum],
      description:
        'What it may do, of ASSISTANTS_READ, THREADS_READ, THREADS_WRITE, RUNS_READ, RUNS_WRITE; absent: all of these that your key has.',
    }),
  }),
});

const CreateSessionTokenPayload = builder.simpleObject('CreateSessionTokenPayload', {
  description: 'The token.',
  fields: (t) => ({
    token: t.string({ nullable: false, description: 'What the browser sends as `Authorization: Bearer <token>`.' }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: false,
      description: 'When it ends; no later than the key that it was made with.',
    }),
  }),
});

const RotateSigningKeyInput = builder.inputType('RotateSigningKeyInput', {
  description: 'How to change what session tokens are signed with.',
  fields: (t) => ({
    graceSeconds: t.int({
      defaultValue: 86_400,
      description: 'How long tokens that exist stay good, at most: 0 to 86400. 0 signs every end user out.',
    }),
  }),
});

const RotateSigningKeyPayload = builder.simpleObject('RotateSigningKeyPayload', {
  description: 'The change.',
  fields: (t) => ({
    validUntil: t.field({
      type: 'DateTime',
      nullable: false,
      description: 'When the last token ends that was signed before.',
    }),
  }),
});

builder.mutationFields((t) => ({
  createSessionToken: t.field({
    type: CreateSessionTokenPayload,
    description:
      'Makes a short-lived token for one end user, who sees and changes only the threads that they own, and uses assistants. It has no scope that your key does not have, and ends with it.',
    errors: resultErrors('CreateSessionToken', [InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: CreateSessionTokenInput, required: true, description: 'For whom.' }) },
    resolve: (_root, { input }, ctx) => createSessionToken(ctx, input),
  }),
  rotateSigningKey: t.field({
    type: RotateSigningKeyPayload,
    description:
      'Signs session tokens with a new key from now on, in all workspaces. It also happens by itself every 30 days.',
    errors: resultErrors('RotateSigningKey', [InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: RotateSigningKeyInput, required: true, description: 'How.' }) },
    resolve: async (_root, { input }, ctx) => ({ validUntil: await rotateSigningKey(ctx, input) }),
  }),
}));
