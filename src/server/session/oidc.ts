import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { OidcSettings } from '../../config/config.ts';
import { userScopes } from '../../domain/access/access.ts';
import type { ExternalTokens } from '../../domain/access/credential.ts';
import { CredentialError } from '../../domain/error.ts';

/** What identity providers sign with; nothing symmetric, and never `none` (RFC 8725, 3.1 and 3.2). */
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
const discoveryTimeoutMs = 5000;
const discovery = z.object({ issuer: z.string(), jwks_uri: z.url() });
const userId = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => text.isWellFormed() && !text.includes('\0'));

/**
 * Accepts the tokens of an identity provider (OpenID Connect): their signature, issuer, audience and times are checked,
 * and their claims say who it is, in which workspace, with which scopes. The provider's keys are read from where its
 * discovery document says, and kept for ten minutes.
 */
export class Oidc implements ExternalTokens {
  readonly #settings: OidcSettings;
  #keys: Promise<JWTVerifyGetKey> | null = null;

  constructor(settings: OidcSettings) {
    this.#settings = settings;
  }

  async read(token: string): ReturnType<ExternalTokens['read']> {
    const { issuer, audience } = this.#settings;
    const keys = await this.#open();
    try {
      const requiredClaims = ['exp', this.#settings.userClaim];
      const { payload } = await jwtVerify(token, keys, { issuer, audience, algorithms, requiredClaims });
      return {
        ...this.#whoAndWhere(payload),
        scopes: scopesIn(payload[this.#settings.scopesClaim]),
        until: new Date((payload.exp as number) * 1000),
      };
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw new CredentialError('EXPIRED', 'This token has expired.');
      // The provider could not be asked: that says nothing about the token.
      if (error instanceof errors.JWKSTimeout || !(error instanceof errors.JOSEError)) throw error;
      if (error.code === 'ERR_JOSE_GENERIC') throw error;
      throw new CredentialError('UNKNOWN', 'This token is not one that the identity provider signed for this server.');
    }
  }

  #whoAndWhere(payload: Record<string, unknown>): { userId: string; workspaceId: string | null } {
    const { userClaim, workspaceClaim } = this.#settings;
    const user = userId.safeParse(payload[userClaim]);
    if (!user.success) throw new CredentialError('UNKNOWN', `The claim ${userClaim} of this token names nobody.`);
    if (workspaceClaim === null) return { userId: user.data, workspaceId: null };
    const workspaceId = payload[workspaceClaim];
    if (typeof workspaceId === 'string') return { userId: user.data, workspaceId };
    throw new CredentialError('UNKNOWN', `The claim ${workspaceClaim} of this token names no workspace.`);
  }

  #open(): Promise<JWTVerifyGetKey> {
    if (this.#keys) return this.#keys;
    this.#keys = this.#discover();
    // The next token asks again.
    this.#keys.catch(() => {
      this.#keys = null;
    });
    return this.#keys;
  }

  async #discover(): Promise<JWTVerifyGetKey> {
    const { issuer, jwksUri } = this.#settings;
    if (jwksUri !== null) return createRemoteJWKSet(new URL(jwksUri));
    const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const response = await fetch(address, { signal: AbortSignal.timeout(discoveryTimeoutMs), redirect: 'error' });
    if (!response.ok) throw new Error(`${address} answered ${response.status}`);
    const document = discovery.parse(await response.json());
    if (document.issuer !== issuer) throw new Error(`${address} is the document of ${document.issuer}`);
    return createRemoteJWKSet(new URL(document.jwks_uri));
  }
}

/** Scopes that ask for claims and not for access (OpenID Connect Core 1.0, sections 3.1.2.1, 5.4 and 11). */
const claimScopes = ['OPENID', 'PROFILE', 'EMAIL', 'ADDRESS', 'PHONE', 'OFFLINE_ACCESS'];

/**
 * The scopes that a claim grants: those it names, where `threads:read` and `THREADS_READ` are one. Names of other systems
 * grant nothing here. A token without the claim, or whose claim says nothing of access, has all that a user can have.
 */
function scopesIn(claim: unknown) {
  if (claim === undefined) return userScopes;
  const words = typeof claim === 'string' ? claim.split(' ').filter((word) => word !== '') : claim;
  if (!Array.isArray(words) || words.length === 0) return [];
  const names = words.map((word) => String(word).toUpperCase().replace(/[:.]/g, '_'));
  if (names.every((name) => claimScopes.includes(name))) return userScopes;
  return userScopes.filter((scope) => names.includes(scope));
}
