import { isId } from '../../id.ts';
import type { Services } from '../context.ts';
import { CredentialError, ForbiddenError } from '../error.ts';
import { earliest, grantOf, userScopes } from './access.ts';
import type { Actor, UserRights } from './actor.ts';
import { type Claim, type Credential, type ExternalTokens, readClaim } from './credential.ts';
import type { SessionClaims } from './session-token.ts';
import { effectiveRights, rightsColumns, rightsOf, type TokenRights } from './user-rights.ts';

/** An authenticated credential: the actor, the workspace that it acts in, and the time when the credential expires. */
export interface Principal {
  actor: Actor;
  workspaceId: string;
  /** null: the credential does not expire. */
  until: Date | null;
}

/**
 * Authenticates credentials, with the same few statements for one as for a thousand. Reads over all workspaces, because
 * only the credential says which workspace it belongs to. Returns a principal or an error for each credential:
 * CredentialError for one that is not valid, ForbiddenError for a workspace that it may not enter or that does not
 * exist, or the error of a failed look-up that concerns this credential only. Throws errors that concern all of them.
 */
export async function authenticate(
  services: Services,
  external: ExternalTokens | null,
  credentials: readonly Credential[],
): Promise<Array<Principal | Error>> {
  const claims = await Promise.all(credentials.map((credential) => readClaim(services, external, credential)));
  const keys = await readKeys(services, claims);
  const choices = claims.map((claim, index) =>
    errorOr(() => chooseWorkspace(identify(claim, keys), credentials[index]?.workspace ?? null)),
  );
  const live = await readLiveWorkspaces(services, choices);
  return choices.map((choice, index) =>
    choice instanceof Error ? choice : errorOr(() => enterWorkspace(choice, live, rightsIn(claims[index]))),
  );
}

const keyColumns = {
  otherWorkspaces: { select: { workspaceId: true } },
  workspace: { select: { deletedAt: true } },
} as const;
type Keys = Awaited<ReturnType<typeof readKeys>>;
type Key = Keys['byId'] extends Map<string, infer Row> ? Row : never;

/** The keys whose secrets were sent, and the keys that issued the session tokens. */
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

/** The rights of an end user before the workspace has been read. */
const nothing: UserRights = { assistantIds: [], models: [], overrides: [] };

/** The rights that a credential names itself. Only session tokens do. */
const rightsIn = (claim: Claim | undefined): TokenRights => (claim?.kind === 'session' ? claim.rights : {});

/** The principal of a claim, in the credential's own workspace. Throws the refusal. */
function identify(claim: Claim, keys: Keys): Principal {
  if (claim.kind === 'refused') throw claim.refusal;
  if (claim.kind === 'session') return identifySession(claim, keys.byId.get(claim.keyId));
  if (claim.kind === 'external') {
    const { userId, scopes, workspaceId, until } = claim;
    return { actor: { kind: 'USER', userId, scopes, rights: nothing }, workspaceId, until };
  }
  const row = keys.byHash.get(claim.hash);
  if (!row) throw new CredentialError('UNKNOWN', 'The key is unknown.');
  const { key, validUntil } = row;
  if (validUntil !== null && validUntil <= new Date()) {
    throw new CredentialError('ROTATED', 'The secret has been replaced by a new one.');
  }
  requireLiveKey(key);
  const until = earliest(validUntil, key.expiresAt);
  return {
    actor: { kind: 'API_KEY', keyId: key.id, ...grantOf(key), expiresAt: until },
    workspaceId: key.workspaceId,
    until,
  };
}

/** A session token is valid while the key that issued it is, and never grants more than that key. */
function identifySession(claim: SessionClaims, key: Key | undefined): Principal {
  if (!key) throw new CredentialError('REVOKED', 'The key that issued the token does not exist any more.');
  requireLiveKey(key);
  const { scopes, workspaces } = grantOf(key);
  const { userId, workspaceId, until } = claim;
  if (workspaces !== 'ALL' && !workspaces.includes(workspaceId)) {
    throw new CredentialError('RIGHTS_CHANGED', 'The key that issued the token may not enter its workspace any more.');
  }
  const allowed = claim.scopes.filter((scope) => scopes.includes(scope) && userScopes.includes(scope));
  return { actor: { kind: 'USER', userId, scopes: allowed, rights: nothing }, workspaceId, until };
}

function requireLiveKey({ revokedAt, expiresAt, workspace }: Key): void {
  if (revokedAt !== null) throw new CredentialError('REVOKED', 'The key has been revoked.');
  if (expiresAt !== null && expiresAt <= new Date()) throw new CredentialError('EXPIRED', 'The key has expired.');
  if (workspace.deletedAt !== null) throw new CredentialError('WORKSPACE_GONE', "The key's workspace was deleted.");
}

/** A principal in the workspace that its request chose. */
interface Choice {
  principal: Principal;
  /** Whether the request named another workspace than the credential's own. */
  isNamed: boolean;
}

/** Enters the workspace that the request names; null: stays in the credential's own. Throws ForbiddenError. */
function chooseWorkspace(principal: Principal, named: string | null): Choice {
  if (named === null || named === principal.workspaceId) return { principal, isNamed: false };
  const { actor } = principal;
  const workspaces = actor.kind === 'API_KEY' ? actor.workspaces : [];
  if (!isId('Workspace', named) || !(workspaces === 'ALL' || workspaces.includes(named))) throw noWorkspace();
  return { principal: { ...principal, workspaceId: named }, isNamed: true };
}

/** Whether the workspace must be looked up. A key's own workspace was read with the key. */
const isUnverified = ({ principal, isNamed }: Choice) => isNamed || principal.actor.kind === 'USER';

/** The chosen workspaces that exist and are not deleted: their IDs, with the rights that they give to end users. */
async function readLiveWorkspaces(
  { database }: Services,
  choices: Array<Choice | Error>,
): Promise<Map<string, UserRights>> {
  const ids = choices.flatMap((choice) =>
    choice instanceof Error || !isUnverified(choice) ? [] : [choice.principal.workspaceId],
  );
  const known = ids.filter((id) => isId('Workspace', id));
  if (known.length === 0) return new Map();
  const where = { deletedAt: null, id: { in: known } };
  const rows = await database.workspace.findMany({ where, select: { id: true, ...rightsColumns } });
  return new Map(rows.map((row) => [row.id, rightsOf(row)]));
}

/** The principal in its workspace, with its rights there. Throws unless the workspace exists. */
function enterWorkspace(choice: Choice, live: Map<string, UserRights>, ofToken: TokenRights): Principal {
  const { principal, isNamed } = choice;
  if (!isUnverified(choice)) return principal;
  const { actor } = principal;
  const ofWorkspace = live.get(principal.workspaceId);
  if (!ofWorkspace) {
    throw isNamed ? noWorkspace() : new CredentialError('WORKSPACE_GONE', "The token's workspace does not exist.");
  }
  if (actor.kind !== 'USER') return principal;
  return { ...principal, actor: { ...actor, rights: effectiveRights(ofWorkspace, ofToken) } };
}

const noWorkspace = () => new ForbiddenError(null, 'No workspace with this ID is accessible to you.');

function errorOr<T>(work: () => T): T | Error {
  try {
    return work();
  } catch (error) {
    return error as Error;
  }
}
