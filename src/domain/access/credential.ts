import type { Scope } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import { hashOf, isMistyped } from '../../secret/key-secret.ts';
import type { Services } from '../context.ts';
import { CredentialError, ForbiddenError } from '../error.ts';
import { grantOf, userScopes } from './access.ts';
import type { Actor } from './actor.ts';
import { isSessionToken, readSessionToken, type SessionClaims } from './session-token.ts';

/** What a request says of who sends it. */
export interface Credential {
  /** The secret of an API key, or a token; null: nothing. */
  secret: string | null;
  /** The workspace that the request names; null: the credential's own. */
  workspace: string | null;
}

/** Who a credential stands for, in which workspace, and for how long at most. */
export interface Principal {
  actor: Actor;
  workspaceId: string;
  until: Date | null;
}

/** Reads tokens that an identity provider has signed. */
export interface ExternalTokens {
  /**
   * What a token says; `workspaceId` null: the default workspace. Throws CredentialError for one that is not good, and
   * anything else when the provider cannot be reached.
   */
  read(token: string): Promise<{ userId: string; workspaceId: string | null; scopes: readonly Scope[]; until: Date }>;
}

/** The refusal of a request that says nothing of who sends it. */
export function noCredential(): CredentialError {
  const howTo = 'Send a key: the header "Authorization: Bearer <key>", or connectionParams.authorization on a socket.';
  return new CredentialError('MISSING', howTo);
}

const noWorkspace = () => new ForbiddenError(null, 'No workspace with this id is here for you.');

/**
 * Finds out who some credentials stand for: with the same few statements for one as for a thousand. Looks over all
 * workspaces, because only the credential says which one it is about. In the place of a credential that is not good
 * stands the refusal: CredentialError, or ForbiddenError for a workspace that it may not enter or that is not there; or
 * what else went wrong with it alone. Throws what goes wrong with all of them.
 */
export async function authenticate(
  services: Services,
  outside: ExternalTokens | null,
  credentials: readonly Credential[],
): Promise<Array<Principal | Error>> {
  const found = await Promise.all(credentials.map((credential) => classify(services, outside, credential)));
  const keys = await readKeys(services, found);
  const seen = found.map((claim) => errorOr(() => identify(claim, keys)));
  const chosen = seen.map((who, index) =>
    who instanceof Error ? who : errorOr(() => chooseWorkspace(who, credentials[index]?.workspace ?? null)),
  );
  return withLiveWorkspaces(services, chosen);
}

/** What can be told of a credential without asking the database. */
type Claim =
  | { kind: 'key'; hash: string }
  | ({ kind: 'session' } & SessionClaims)
  | { kind: 'outside'; userId: string; workspaceId: string | null; scopes: readonly Scope[]; until: Date }
  | { kind: 'refused'; refusal: Error };

/** Whether a credential has the form of a signed JWT (RFC 7515, 7.1): where an identity provider is configured, one of its. */
export const isExternalToken = (secret: string) => /^ey[\w-]*\.[\w-]+\.[\w-]*$/.test(secret);

async function classify(services: Services, outside: ExternalTokens | null, { secret }: Credential): Promise<Claim> {
  try {
    if (secret === null) throw noCredential();
    if (isMistyped(secret)) throw new CredentialError('MISTYPED', 'This key has a typo: its checksum does not fit.');
    if (isSessionToken(secret)) return { kind: 'session', ...(await readSessionToken(services, secret)) };
    if (outside && isExternalToken(secret)) return { kind: 'outside', ...(await outside.read(secret)) };
    return { kind: 'key', hash: hashOf(services, secret) };
  } catch (error) {
    return { kind: 'refused', refusal: error as Error };
  }
}

const keyColumns = {
  otherWorkspaces: { select: { workspaceId: true } },
  workspace: { select: { deletedAt: true } },
} as const;
type Key = Awaited<ReturnType<typeof readKeys>>['byId'] extends Map<string, infer Row> ? Row : never;

/** The keys that credentials are secrets of, or were signed for. */
async function readKeys({ database }: Services, claims: Claim[]) {
  const hashes = claims.flatMap((claim) => (claim.kind === 'key' ? [claim.hash] : []));
  const ids = claims.flatMap((claim) => (claim.kind === 'session' ? [claim.keyId] : []));
  const secrets =
    hashes.length === 0
      ? []
      : await database.apiKeySecret.findMany({
          where: { hash: { in: hashes } },
          include: { key: { include: keyColumns } },
        });
  const issuers =
    ids.length === 0 ? [] : await database.apiKey.findMany({ where: { id: { in: ids } }, include: keyColumns });
  return {
    byHash: new Map(secrets.map((row) => [row.hash, row])),
    byId: new Map(issuers.map((row) => [row.id, row])),
  };
}

interface Identity {
  actor: Actor;
  /** Where it acts unless it names another; null: the default workspace. */
  homeId: string | null;
  until: Date | null;
}

/** Who a claim stands for. Throws the refusal. */
function identify(claim: Claim, keys: Awaited<ReturnType<typeof readKeys>>): Identity {
  if (claim.kind === 'refused') throw claim.refusal;
  if (claim.kind === 'outside') {
    const { userId, workspaceId, until } = claim;
    return { actor: { kind: 'USER', userId, scopes: claim.scopes }, homeId: workspaceId, until };
  }
  if (claim.kind === 'session') return identifySession(claim, keys.byId.get(claim.keyId));
  const row = keys.byHash.get(claim.hash);
  if (!row) throw new CredentialError('UNKNOWN', 'This key is not known.');
  const { key, validUntil } = row;
  if (validUntil !== null && validUntil <= new Date()) {
    throw new CredentialError('ROTATED', 'This secret has been replaced by a new one.');
  }
  requireLive(key);
  const power = grantOf(key);
  const ends = [validUntil, key.expiresAt].filter((date) => date !== null);
  const until = ends.length === 0 ? null : new Date(Math.min(...ends.map(Number)));
  return { actor: { kind: 'API_KEY', keyId: key.id, ...power, expiresAt: until }, homeId: key.workspaceId, until };
}

/** A session token is good while the key is that asked for it, and can do no more than that. */
function identifySession(claim: SessionClaims, key: Key | undefined): Identity {
  if (!key) throw new CredentialError('REVOKED', 'The key that this token was made with is gone.');
  requireLive(key);
  const { scopes, workspaces } = grantOf(key);
  if (workspaces !== 'ALL' && !workspaces.includes(claim.workspaceId)) {
    throw new CredentialError('RIGHTS_CHANGED', 'The key that this token was made with may not enter its workspace.');
  }
  const allowed = claim.scopes.filter((scope) => scopes.includes(scope) && userScopes.includes(scope));
  const actor = { kind: 'USER' as const, userId: claim.userId, scopes: allowed };
  return { actor, homeId: claim.workspaceId, until: claim.until };
}

function requireLive({ revokedAt, expiresAt, workspace }: Key): void {
  if (revokedAt !== null) throw new CredentialError('REVOKED', 'This key has been revoked.');
  if (expiresAt !== null && expiresAt <= new Date()) throw new CredentialError('EXPIRED', 'This key has expired.');
  if (workspace.deletedAt !== null) throw new CredentialError('WORKSPACE_GONE', 'The workspace of this key is gone.');
}

/** The workspace that a request acts in: the credential's own, or the one it names. Throws ForbiddenError. */
function chooseWorkspace(
  { actor, homeId, until }: Identity,
  named: string | null,
): Omit<Principal, 'workspaceId'> & ChosenWorkspace {
  if (named === null || named === homeId) return { actor, until, chosenId: homeId, isNamed: false };
  if (actor.kind === 'SYSTEM' || !isId('Workspace', named)) throw noWorkspace();
  // A user whose token names no workspace acts in the default one, whose id is known only below.
  if (actor.kind === 'USER' && homeId !== null) throw noWorkspace();
  const mayEnter = actor.kind === 'USER' || actor.workspaces === 'ALL' || actor.workspaces.includes(named);
  if (!mayEnter) throw noWorkspace();
  return { actor, until, chosenId: named, isNamed: true };
}

interface ChosenWorkspace {
  chosenId: string | null;
  isNamed: boolean;
}

/** Keeps those whose workspace is there. */
async function withLiveWorkspaces(
  { database }: Services,
  chosen: Array<(Omit<Principal, 'workspaceId'> & ChosenWorkspace) | Error>,
): Promise<Array<Principal | Error>> {
  const admitted = chosen.filter((one): one is Exclude<typeof one, Error> => !(one instanceof Error));
  // The home of a key has been looked at with the key.
  const open = admitted.filter(({ actor, isNamed }) => isNamed || actor.kind === 'USER');
  const wanted = open.flatMap(({ chosenId }) => (chosenId !== null && isId('Workspace', chosenId) ? [chosenId] : []));
  const rows =
    open.length === 0
      ? []
      : await database.workspace.findMany({
          where: { deletedAt: null, OR: [{ id: { in: wanted } }, { isDefault: true }] },
          select: { id: true, isDefault: true },
        });
  const live = new Set(rows.map(({ id }) => id));
  const defaultId = rows.find(({ isDefault }) => isDefault)?.id ?? null;
  return chosen.map((one) => {
    if (one instanceof Error) return one;
    const { actor, until, chosenId, isNamed } = one;
    if (!isNamed && actor.kind === 'API_KEY') return { actor, until, workspaceId: chosenId as string };
    const workspaceId = chosenId ?? defaultId;
    if (workspaceId === null || !live.has(workspaceId)) {
      return isNamed ? noWorkspace() : new CredentialError('WORKSPACE_GONE', 'The workspace of this token is gone.');
    }
    const isElsewhere = actor.kind === 'USER' && isNamed && workspaceId !== defaultId;
    return isElsewhere ? noWorkspace() : { actor, until, workspaceId };
  });
}

function errorOr<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return error as Error;
  }
}
