import type { Credential } from '../../domain/access/credential.ts';
import type { Principal } from '../../domain/access/principal.ts';
import { hasLostRights } from '../../domain/access/user-rights.ts';
import { type DomainContext, domainContext, type Services } from '../../domain/context.ts';
import { CredentialError, DomainError, UnavailableError } from '../../domain/error.ts';
import type { Access, Watched } from '../../graphql/context.ts';
import type { Quota, QuotaKind } from './quota.ts';

/** The part of the authenticator that a session uses. */
interface SessionAuthority {
  readonly quota: Quota;
  readonly watch: { add(session: Session): void; remove(session: Session): void };
  /** Throws CredentialError, and ForbiddenError for a workspace that the credential may not enter. */
  principalOf(credential: Credential): Promise<Principal>;
}

/** Equal for equal credentials. */
export const credentialId = ({ secret, workspace }: Credential) => `${secret} ${workspace ?? ''}`;

/** An authenticated credential in use by a request, a stream or a socket, until it is revoked. */
export class Session implements Access {
  readonly #authority: SessionAuthority;
  readonly #services: Services;
  readonly #revoked = new AbortController();
  #watchers = 0;
  #credential: Credential;
  #principal: Principal;
  #context: DomainContext;

  constructor(authority: SessionAuthority, credential: Credential, principal: Principal, services: Services) {
    this.#authority = authority;
    this.#services = services;
    this.#credential = credential;
    this.#principal = principal;
    this.#context = domainContext(services, principal.workspaceId, principal.actor);
  }

  /** The credential that opened the session or last renewed it. */
  get credential(): Credential {
    return this.#credential;
  }

  /** The domain context of operations that start now. */
  get context(): DomainContext {
    return this.#context;
  }

  /** Whether another session has the same actor and workspace. */
  hasSamePrincipal(other: Session): boolean {
    const { actor, workspaceId } = this.#principal;
    return isSameActor(actor, other.#principal.actor) && workspaceId === other.#principal.workspaceId;
  }

  /**
   * Has the credential checked until `release`, and counts one more of `kind` for the actor. Throws RateLimitedError
   * when the actor has too many of that kind open.
   */
  watch(kind: QuotaKind = 'stream'): Watched {
    const releaseQuota = this.#authority.quota.acquire(kind, this.#principal.actor, this.#principal.workspaceId);
    this.#watchers += 1;
    if (this.#watchers === 1) this.#authority.watch.add(this);
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      releaseQuota();
      this.#watchers -= 1;
      if (this.#watchers === 0) this.#authority.watch.remove(this);
    };
    return { revoked: this.#revoked.signal, release };
  }

  /**
   * Replaces the credential by another one for the same actor and workspace with at least the same scopes and rights:
   * open streams rely on them. Without a workspace, the new credential is for the current one. Throws CredentialError
   * otherwise.
   */
  async renew({ secret, workspace }: Credential): Promise<void> {
    const credential = { secret, workspace: workspace ?? this.#credential.workspace };
    const principal = await this.#authority.principalOf(credential);
    const { actor, workspaceId } = this.#principal;
    const isSame = isSameActor(actor, principal.actor) && principal.workspaceId === workspaceId;
    if (!isSame || hasLost(principal, this.#principal)) {
      const howTo =
        'A new credential must have the same actor and workspace, and all scopes and rights of the old one. Open another socket for this one.';
      throw new CredentialError('RIGHTS_CHANGED', howTo);
    }
    this.#credential = credential;
    this.#principal = principal;
    this.#context = domainContext(this.#services, workspaceId, principal.actor);
  }

  /** Revokes the session if its token has expired. Reads no database. */
  expireToken(): void {
    if (this.#principal.actor.kind === 'USER' && this.#isExpired()) this.#expire();
  }

  #isExpired(): boolean {
    const { until } = this.#principal;
    return until !== null && until <= new Date();
  }

  #expire(): void {
    this.#revoked.abort(new CredentialError('EXPIRED', 'This credential has expired.'));
  }

  /** Ends the open streams and sockets of the session with an error for the client. */
  end(reason: DomainError): void {
    this.#revoked.abort(reason);
  }

  /** Applies the result of a check of `credential`: revokes the session if the credential has ended or lost rights. */
  revalidate(result: Principal | Error, credential: Credential): void {
    // Renewed during the check: the next check covers the new credential.
    if (credentialId(credential) !== credentialId(this.#credential)) return;
    if (result instanceof DomainError && !(result instanceof UnavailableError)) this.#revoked.abort(result);
    else if (this.#isExpired()) this.#expire();
    // The check failed, and says nothing about the credential.
    else if (result instanceof Error) return;
    else if (hasLost(result, this.#principal)) {
      this.#revoked.abort(
        new CredentialError('RIGHTS_CHANGED', 'This credential has lost scopes, workspaces or rights.'),
      );
    } else {
      // For example, its expiry can be nearer now.
      this.#principal = result;
      this.#context = domainContext(this.#services, result.workspaceId, result.actor);
    }
  }
}

function isSameActor(one: Principal['actor'], other: Principal['actor']): boolean {
  if (one.kind === 'API_KEY') return other.kind === 'API_KEY' && one.keyId === other.keyId;
  return one.kind === 'USER' && other.kind === 'USER' && one.userId === other.userId;
}

/** Whether a credential has lost a scope, a right of an end user, or a workspace that it could enter. */
function hasLost({ actor: now }: Principal, { actor: before }: Principal): boolean {
  if (before.scopes.some((scope) => !now.scopes.includes(scope))) return true;
  if (now.kind === 'USER' && before.kind === 'USER') return hasLostRights(now.rights, before.rights);
  if (now.kind !== 'API_KEY' || before.kind !== 'API_KEY' || now.workspaces === 'ALL') return false;
  const { workspaces } = now;
  return before.workspaces === 'ALL' || before.workspaces.some((id) => !workspaces.includes(id));
}
