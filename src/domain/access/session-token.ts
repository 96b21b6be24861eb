import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { RunOverride, Scope } from '../../db/generated/client.ts';
import type { DomainContext, Services } from '../context.ts';
import { CredentialError, ForbiddenError, InvalidInputError } from '../error.ts';
import { absentOr, integer, listUpTo, nameUpTo, parse } from '../input.ts';
import { keyLimits, tokenLimits } from '../limits.ts';
import { requireKey, requireScope, requireWithinOwn, userScopes } from './access.ts';
import { announceCredentialChange } from './credential-change.ts';
import { requireAssistants, type TokenRights } from './user-rights.ts';

const issuer = 'assistant-graph';
const algorithm = 'HS256';
/** Distinguishes session tokens from those of other issuers and from other kinds of token (RFC 8725, 3.11). */
const tokenType = 'session+jwt';

const createInput = z.object({
  userId: nameUpTo(tokenLimits.userId),
  ttlSeconds: absentOr(integer(1, tokenLimits.ttlSeconds, 'seconds')),
  scopes: absentOr(
    listUpTo(z.enum(Scope), keyLimits.scopes, 'scopes').min(1, 'At least 1 scope; omit the field for all'),
  ),
  assistantIds: absentOr(listUpTo(z.string(), tokenLimits.assistants, 'assistants')),
  overrides: absentOr(listUpTo(z.enum(RunOverride), tokenLimits.overrides, 'overrides')),
});

/** The names of an enum in a claim; those that this version does not know are left out. */
const namesOf = <Name extends string>(names: Record<Name, Name>) =>
  z.string().transform((text) => text.split(' ').filter((name): name is Name => name in names));

const claims = z.object({
  sub: z.string(),
  workspace: z.string(),
  /** The API key that issued the token. The token is valid only while the key is. */
  key: z.string(),
  scope: namesOf(Scope),
  /** Absent: the settings of the workspace apply. */
  assistants: z.array(z.string()).optional(),
  /** Absent: the settings of the workspace apply. */
  overrides: namesOf(RunOverride).optional(),
  exp: z.number(),
});

/** The claims of a valid session token. */
export interface SessionClaims {
  userId: string;
  workspaceId: string;
  keyId: string;
  scopes: Scope[];
  /** What the token itself opens or closes. */
  rights: TokenRights;
  until: Date;
}

/**
 * Creates a short-lived token (a JWT) for one end user's browser, in the workspace of the request. It has the given
 * scopes, or all end-user scopes of the key; it expires after `ttlSeconds` (default 3600), or with the key.
 * `assistantIds` and `overrides` replace those of the workspace's settings: nothing of it exceeds the key, because each
 * use needs a scope as well. Throws ForbiddenError for scopes that the key lacks, InvalidInputError for scopes that no
 * end user can have, NotFoundError for an unknown assistant.
 */
export async function createSessionToken(
  ctx: DomainContext,
  input: unknown,
): Promise<{ token: string; expiresAt: Date }> {
  const key = requireKey(ctx);
  const { userId, ttlSeconds = 3600, scopes: requested, assistantIds, overrides } = parse(createInput, input);
  const refused = requested?.find((scope) => !userScopes.includes(scope));
  if (refused) {
    throw InvalidInputError.at('scopes', `An end user cannot have ${refused}, only ${userScopes.join(', ')}.`);
  }
  const scopes = requested ?? userScopes.filter((scope) => key.scopes.includes(scope));
  if (scopes.length === 0) throw new ForbiddenError(null, 'Your key has no scope that an end user can have.');
  requireWithinOwn(key, { ...key, scopes });
  await requireAssistants(ctx, assistantIds ?? []);
  const end = Math.min(Date.now() + ttlSeconds * 1000, key.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
  const expiresAt = new Date(Math.floor(end / 1000) * 1000);
  const signing = await ctx.signingKeys.current();
  const rights = { assistants: assistantIds, overrides: overrides?.join(' ') };
  const token = await new SignJWT({ workspace: ctx.workspaceId, key: key.keyId, scope: scopes.join(' '), ...rights })
    .setProtectedHeader({ alg: algorithm, kid: signing.id, typ: tokenType })
    .setIssuer(issuer)
    .setSubject(userId)
    .setIssuedAt()
    .setExpirationTime(expiresAt)
    .sign(signing.secret);
  return { token, expiresAt };
}

/** Whether a secret claims to be a session token. Its signature is not verified. */
export function isSessionToken(text: string): boolean {
  try {
    return decodeProtectedHeader(text).typ === tokenType;
  } catch {
    return false;
  }
}

/**
 * Verifies a session token and returns its claims. Throws CredentialError when it has expired or has no valid
 * signature.
 */
export async function readSessionToken({ signingKeys }: Services, token: string): Promise<SessionClaims> {
  try {
    const keyOf = async ({ kid = '' }: { kid?: string }) => {
      const secret = await signingKeys.find(kid);
      if (!secret) throw new CredentialError('ROTATED', 'The signing key of the token has been replaced.');
      return secret;
    };
    const { payload } = await jwtVerify(token, keyOf, { issuer, algorithms: [algorithm], typ: tokenType });
    const { sub, workspace, key, scope, exp, assistants, overrides } = claims.parse(payload);
    const rights = { assistantIds: assistants, overrides };
    return { userId: sub, workspaceId: workspace, keyId: key, scopes: scope, rights, until: new Date(exp * 1000) };
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new CredentialError('EXPIRED', 'The token has expired.');
    if (error instanceof errors.JOSEError)
      throw new CredentialError('UNKNOWN', 'The token has no valid signature of this server.');
    throw error;
  }
}

const rotateInput = z.object({
  graceSeconds: absentOr(integer(0, tokenLimits.ttlSeconds, 'seconds')),
});

/**
 * Replaces the signing key. Existing session tokens stay valid for at most `graceSeconds` (default: until they expire).
 * Requires SERVER_ADMIN, because it concerns all workspaces. Returns the time after which no existing token is valid.
 */
export async function rotateSigningKey(ctx: DomainContext, input: unknown): Promise<Date> {
  requireScope(ctx, 'SERVER_ADMIN');
  const { graceSeconds = tokenLimits.ttlSeconds } = parse(rotateInput, input);
  const validUntil = new Date(Date.now() + graceSeconds * 1000);
  await ctx.signingKeys.rotate(validUntil);
  announceCredentialChange(ctx);
  return validUntil;
}
