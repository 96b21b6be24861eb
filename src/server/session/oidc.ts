import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { OidcSettings } from '../../config/config.ts';
import { userScopes } from '../../domain/access/access.ts';
import type { ExternalTokens } from '../../domain/access/credential.ts';
import { CredentialError, DomainError } from '../../domain/error.ts';
import type { Logger } from '../../log.ts';
import { serverLimits } from '../limits.ts';
import { IdentityDocuments, unavailable } from './identity-documents.ts';

/** The accepted signature algorithms: no symmetric ones, and never `none` (RFC 8725, 3.1 and 3.2). */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const userId = z
  .string()
  .min(1)
  .max(serverLimits.externalUserId)
  .refine((text) => text.isWellFormed() && !text.includes('\0'));

/** Errors that say nothing about the token: the keys could not be read. */
const keyFaults = [errors.JWKSTimeout, errors.JWKSInvalid];

/**
 * Accepts the tokens of an OpenID Connect identity provider. Checks signature, issuer, audience and times; claims give
 * the end user, the workspace and the scopes. The provider's keys come from `jwksUri` or the URL in its discovery
 * document, and are cached for ten minutes.
 */
export class Oidc implements ExternalTokens {
  readonly #settings: OidcSettings;
  readonly #documents: IdentityDocuments;
  #keys: Promise<JWTVerifyGetKey> | null = null;

  constructor(settings: OidcSettings, log: Logger) {
    this.#settings = settings;
    this.#documents = new IdentityDocuments(log);
  }

  /** Throws CredentialError, and UnavailableError when the keys cannot be read: the token can still be valid. */
  async read(token: string): ReturnType<ExternalTokens['read']> {
    const { issuer, audience } = this.#settings;
    const keys = await this.#openKeys();
    try {
      const requiredClaims = ['exp', this.#settings.userClaim];
      const clockTolerance = serverLimits.identityClockSeconds;
      const checks = { issuer, audience, algorithms, requiredClaims, clockTolerance };
      const { payload } = await jwtVerify(token, keys, checks);
      return {
        ...this.#userAndWorkspace(payload),
        scopes: scopesIn(payload[this.#settings.scopesClaim]),
        until: new Date((payload.exp as number) * 1000),
      };
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new CredentialError('EXPIRED', 'This token has expired.');
      if (error instanceof DomainError) throw error;
      if (keyFaults.some((fault) => error instanceof fault)) {
        this.#documents.fail(error);
        throw unavailable();
      }
      if (!(error instanceof errors.JOSEError) || error.code === 'ERR_JOSE_GENERIC') throw error;
      throw new CredentialError('UNKNOWN', 'The identity provider did not sign this token for this server.');
    }
  }

  #userAndWorkspace(payload: Record<string, unknown>): { userId: string; workspaceId: string | null } {
    const { userClaim, workspaceClaim } = this.#settings;
    const user = userId.safeParse(payload[userClaim]);
    if (!user.success)
      throw new CredentialError('UNKNOWN', `The claim ${userClaim} of this token has no valid user id.`);
    if (workspaceClaim === null) return { userId: user.data, workspaceId: null };
    const workspaceId = payload[workspaceClaim];
    if (typeof workspaceId === 'string') return { userId: user.data, workspaceId };
    throw new CredentialError('UNKNOWN', `The claim ${workspaceClaim} of this token has no workspace id.`);
  }

  #openKeys(): Promise<JWTVerifyGetKey> {
    if (this.#keys) return this.#keys;
    this.#keys = this.#discover();
    // The next token triggers another attempt.
    this.#keys.catch(() => {
      this.#keys = null;
    });
    return this.#keys;
  }

  async #discover(): Promise<JWTVerifyGetKey> {
    const { issuer, jwksUri } = this.#settings;
    if (jwksUri !== null) return this.#keysAt(jwksUri);
    const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const document = await this.#documents.read('discovery', address);
    if (document.issuer === issuer) return this.#keysAt(document.jwks_uri);
    this.#documents.fail(new Error('The discovery document is that of another issuer'));
    throw unavailable();
  }

  #keysAt(url: string): JWTVerifyGetKey {
    return createRemoteJWKSet(new URL(url), {
      timeoutDuration: serverLimits.identityMs,
      cooldownDuration: serverLimits.identityCooldownMs,
      [customFetch]: async (address, { signal }) =>
        Response.json(await this.#documents.read('keys', address, signal as AbortSignal)),
    });
  }
}

/** Scopes that request claims, not access (OpenID Connect Core 1.0, sections 3.1.2.1, 5.4 and 11). */
const claimScopes = ['OPENID', 'PROFILE', 'EMAIL', 'ADDRESS', 'PHONE', 'OFFLINE_ACCESS'];

/**
 * The scopes that a claim grants: the end-user scopes that it names; `threads:read` and `THREADS_READ` are the same. Unknown
 * names grant nothing. Without the claim, or if all its names are in `claimScopes`, all end-user scopes.
 */
function scopesIn(claim: unknown) {
  if (claim === undefined) return userScopes;
  const words = typeof claim === 'string' ? claim.split(' ').filter((word) => word !== '') : claim;
  if (!Array.isArray(words) || words.length === 0) return [];
  const names = words.map((word) => String(word).toUpperCase().replace(/[:.]/g, '_'));
  if (names.every((name) => claimScopes.includes(name))) return userScopes;
  return userScopes.filter((scope) => names.includes(scope));
}
