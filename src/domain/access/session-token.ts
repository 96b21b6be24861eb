import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { Scope } from '../../db/generated/client.ts';
import type { DomainContext, Services } from '../context.ts';
import { CredentialError, ForbiddenError, InvalidInputError } from '../error.ts';
import { absentOr, nameUpTo, parse } from '../input.ts';
import { requireKey, requireScope, requireWithinOwn, userScopes } from './access.ts';
import { announceCredentialChange } from './credential-change.ts';
import { maxTokenSeconds } from './signing-key.ts';

const issuer = 'assistant-graph';
const algorithm = 'HS256';
/** Tells our tokens from those of others, and from any other kind of token that we may ever sign (RFC 8725, 3.11). */
const tokenType = 'session+jwt';

const createInput = z.object({
  userId: nameUpTo(256),
  ttlSeconds: absentOr(
    z.int().min(1, 'At least 1 s, please').max(maxTokenSeconds, `At most ${maxTokenSeconds} s (a day), please`),
  ),
  scopes: absentOr(z.array(z.enum(Scope)).min(1, 'Name at least one scope, or leave it out')),
});

const claims = z.object({
  sub: z.string(),
  workspace: z.string(),
  /** The API key that asked for the token: the token ends with it. */
  key: z.string(),
  scope: z.string().transform((text) => text.split(' ').filter((name): name is Scope => name in Scope)),
  exp: z.number(),
});

/** What a good session token says. */
export interface SessionClaims {
  userId: string;
  workspaceId: string;
  keyId: string;
  scopes: Scope[];
  until: Date;
}

/**
 * A short-lived token (a JWT) for one end user's browser, in the workspace of the request: whoever holds it acts as
 * that user. It has the scopes that are named, or all that an end user can have and the key has; it ends after
 * `ttlSeconds` (default 3600), or with the key. Throws ForbiddenError for scopes that the key does not have.
 */
export async function createSessionToken(
  ctx: DomainContext,
  input: unknown,
): Promise<{ token: string; expiresAt: Date }> {
  const key = requireKey(ctx);
  const { userId, ttlSeconds = 3600, scopes: named } = parse(createInput, input);
  const beyond = named?.find((scope) => !userScopes.includes(scope));
  if (beyond) throw InvalidInputError.at('scopes', `An end user cannot have ${beyond}, only ${userScopes.join(', ')}.`);
  const scopes = named ?? userScopes.filter((scope) => key.scopes.includes(scope));
  if (scopes.length === 0) throw new ForbiddenError(null, 'Your key has no scope that an end user could have.');
  requireWithinOwn(key, { ...key, scopes });
  const end = Math.min(Date.now() + ttlSeconds * 1000, key.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY);
  const expiresAt = new Date(Math.floor(end / 1000) * 1000);
  const signing = await ctx.signingKeys.current();
  const token = await new SignJWT({ workspace: ctx.workspaceId, key: key.keyId, scope: scopes.join(' ') })
    .setProtectedHeader({ alg: algorithm, kid: signing.id, typ: tokenType })
    .setIssuer(issuer)
    .setSubject(userId)
    .setIssuedAt()
    .setExpirationTime(expiresAt)
    .sign(signing.secret);
  return { token, expiresAt };
}

/** Whether a text is a token that says it was signed here. */
export function isSessionToken(text: string): boolean {
  try {
    return decodeProtectedHeader(text).typ === tokenType;
  } catch {
    return false;
  }
}

/** What a session token says. Throws CredentialError when it has expired, or was not signed here. */
export async function readSessionToken({ signingKeys }: Services, token: string): Promise<SessionClaims> {
  try {
    const keyOf = async ({ kid = '' }: { kid?: string }) => {
      const secret = await signingKeys.find(kid);
      if (!secret) throw new CredentialError('ROTATED', 'This token was signed with a key that is no longer in use.');
      return secret;
    };
    const { payload } = await jwtVerify(token, keyOf, { issuer, algorithms: [algorithm], typ: tokenType });
    const { sub, workspace, key, scope, exp } = claims.parse(payload);
    return { userId: sub, workspaceId: workspace, keyId: key, scopes: scope, until: new Date(exp * 1000) };
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new CredentialError('EXPIRED', 'This token has expired.');
    if (error instanceof errors.JOSEError) throw new CredentialError('UNKNOWN', 'This token was not signed here.');
    throw error;
  }
}

const rotateInput = z.object({
  graceSeconds: absentOr(
    z.int().min(0, 'At least 0 s, please').max(maxTokenSeconds, `At most ${maxTokenSeconds} s (a day), please`),
  ),
});

/**
 * Signs with a new key from now on. Session tokens that exist are good for `graceSeconds` at most (default: until they
 * expire). Needs SERVER_ADMIN, as it concerns all workspaces. Returns when the last of them ends.
 */
export async function rotateSigningKey(ctx: DomainContext, input: unknown): Promise<Date> {
  requireScope(ctx, 'SERVER_ADMIN');
  const { graceSeconds = maxTokenSeconds } = parse(rotateInput, input);
  const validUntil = new Date(Date.now() + graceSeconds * 1000);
  await ctx.signingKeys.rotate(validUntil);
  announceCredentialChange(ctx);
  return validUntil;
}
