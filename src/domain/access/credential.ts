import type { Database } from '../../db/client.ts';
import type { Scope } from '../../db/generated/client.ts';
import { hashOf, isMistyped } from '../../secret/key-secret.ts';
import type { Services } from '../context.ts';
import { CredentialError } from '../error.ts';
import { isSessionToken, readSessionToken, type SessionClaims } from './session-token.ts';

/** The part of a request that authenticates it. */
export interface Credential {
  /** The secret of an API key, or a token; null: the request has none. */
  secret: string | null;
  /** The workspace that the request names; null: the credential's own. */
  workspace: string | null;
}

/** Verifies tokens that an identity provider has signed. */
export interface ExternalTokens {
  /**
   * The claims of a token; `workspaceId` null: the default workspace. Throws CredentialError for an invalid token, and
   * any other error when the provider cannot be reached.
   */
  read(token: string): Promise<{ userId: string; workspaceId: string | null; scopes: readonly Scope[]; until: Date }>;
}

/** What a credential claims, before the key that it depends on is read. */
export type Claim =
  | { kind: 'key'; hash: string }
  | ({ kind: 'session' } & SessionClaims)
  | { kind: 'external'; userId: string; workspaceId: string; scopes: readonly Scope[]; until: Date }
  | { kind: 'refused'; refusal: Error };

/** The refusal of a request without a credential. */
export function noCredential(): CredentialError {
  const howTo = 'Send a key: the header "Authorization: Bearer <key>", or connectionParams.authorization on a socket.';
  return new CredentialError('MISSING', howTo);
}

/**
 * Whether a secret has the form of a signed JWT (RFC 7515, 7.1). With a configured identity provider, it is one of its
 * tokens.
 */
export const isExternalToken = (secret: string) => /^ey[\w-]*\.[\w-]+\.[\w-]*$/.test(secret);

/** Reads what a credential claims and verifies signatures. Never rejects: an error becomes a refused claim. */
export async function readClaim(
  services: Services,
  external: ExternalTokens | null,
  { secret }: Credential,
): Promise<Claim> {
  try {
    if (secret === null) throw noCredential();
    if (isMistyped(secret)) throw new CredentialError('MISTYPED', 'The key has a typo: its checksum does not match.');
    if (isSessionToken(secret)) return { kind: 'session', ...(await readSessionToken(services, secret)) };
    if (external && isExternalToken(secret)) {
      const { workspaceId, ...token } = await external.read(secret);
      return { kind: 'external', ...token, workspaceId: workspaceId ?? (await defaultWorkspaceId(services)) };
    }
    return { kind: 'key', hash: hashOf(services, secret) };
  } catch (error) {
    return { kind: 'refused', refusal: error as Error };
  }
}

const defaultWorkspaces = new WeakMap<Database, Promise<string>>();

/** The ID of the default workspace. It never changes, so each process reads it once. */
function defaultWorkspaceId({ database }: Services): Promise<string> {
  const known = defaultWorkspaces.get(database);
  if (known) return known;
  const where = { isDefault: true };
  const reading = database.workspace.findFirstOrThrow({ where, select: { id: true } }).then(({ id }) => id);
  reading.catch(() => defaultWorkspaces.delete(database));
  defaultWorkspaces.set(database, reading);
  return reading;
}
