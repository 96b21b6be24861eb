import type { Credential } from '../../domain/access/credential.ts';
import type { Principal } from '../../domain/access/principal.ts';
import { type DomainContext, domainContext, type Services } from '../../domain/context.ts';
import { CredentialError, DomainError } from '../../domain/error.ts';
import type { Access, Watched } from '../../graphql/context.ts';
import type { Quota, QuotaKind } from './quota.ts';

/** What a session asks of the authenticator that opened it. */
interface SessionAuthority {
  readonly quota: Quota;
  /** Who a credential stands for. Throws CredentialError, and ForbiddenError for a foreign workspace. */
  principalOf(credential: Credential): Promise<Principal>;
  watch(session: Session): void;
  unwatch(session: Session): void;
}

/** The same for the same credential. */
export const idOf = ({ secret, workspace }: Credential) => `${secret} ${workspace ?? ''}`;

/** Whoever is behind a request, a stream or a socket, while their credential is good. */
export class Session implements Access {
  readonly #authenticator: SessionAuthority;
  readonly #services: Services;
  readonly #revoked = new AbortController();
  #watchers = 0;
  #credential: Credential;
  #principal: Principal;
  #context: DomainContext;

  constructor(authenticator: SessionAuthority, credential: Credential, admission: Principal, services: Services) {
    this.#authenticator = authenticator;
    this.#services = services;
    this.#credential = credential;
    this.#principal = admission;
    this.#context = domainContext(services, admission.workspaceId, admission.actor);
  }

  /** What the session was opened, or last renewed, with. */
  get credential(): Credential {
    return this.#credential;
  }

  /** Whether another session is of the same actor in the same workspace. */
  isOfSame(other: Session): boolean {
    const { actor, workspaceId } = this.#principal;
    return isSame(actor, other.#principal.actor) && workspaceId === other.#principal.workspaceId;
  }

  /** The domain's context for what is asked in it. */
  get context(): DomainContext {
    return this.#context;
  }

  /** Looks at the credential until the release. Throws RateLimitedError when too many of that kind are open for its actor. */
  watch(kind: QuotaKind = 'stream'): Watched {
    const giveBack = this.#authenticator.quota.acquire(kind, this.#principal.actor, this.#principal.workspaceId);
    this.#watchers += 1;
    if (this.#watchers === 1) this.#authenticator.watch(this);
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      giveBack();
      this.#watchers -= 1;
      if (this.#watchers === 0) this.#authenticator.unwatch(this);
    };
    return { revoked: this.#revoked.signal, release };
  }

  /**
   * Goes on with another credential, for the same actor in the same workspace with no fewer scopes: streams that are
   * open were opened with those. Throws CredentialError when it is for anything else, or not good.
   */
  async renew({ secret, workspace }: Credential): Promise<void> {
    const credential = { secret, workspace: workspace ?? this.#credential.workspace };
    const admission = await this.#authenticator.principalOf(credential);
    const { actor, workspaceId } = this.#principal;
    if (!isSame(actor, admission.actor) || admission.workspaceId !== workspaceId || lacks(admission, this.#principal)) {
      const howTo =
        'A socket goes on with a new credential for the same actor, workspace and scopes: open another one.';
      throw new CredentialError('RIGHTS_CHANGED', howTo);
    }
    this.#credential = credential;
    this.#principal = admission;
    this.#context = domainContext(this.#services, workspaceId, admission.actor);
  }

  /** Ends the session of a token whose time has come: nobody need be asked for that. */
  expireToken(): void {
    if (this.#principal.actor.kind === 'USER' && this.#isOver()) this.#expire();
  }

  #isOver(): boolean {
    const { until } = this.#principal;
    return until !== null && until <= new Date();
  }

  #expire(): void {
    this.#revoked.abort(new CredentialError('EXPIRED', 'This credential has expired.'));
  }

  /** Ends the session when its credential is no longer good. `found`: what `credential` has come to. */
  revalidate(found: Principal | Error, credential: Credential): void {
    // It has been renewed since: the new one is looked at next time.
    if (idOf(credential) !== idOf(this.#credential)) return;
    if (found instanceof DomainError) this.#revoked.abort(found);
    else if (this.#isOver()) this.#expire();
    else if (found instanceof Error) {
      this.#services.log.warn({ err: found }, 'a credential could not be looked at');
    } else if (lacks(found, this.#principal)) {
      this.#revoked.abort(new CredentialError('RIGHTS_CHANGED', 'This credential may no longer do what it could.'));
    } else {
      // What is asked from now on is asked with what the credential is now: a nearer end, say.
      this.#principal = found;
      this.#context = domainContext(this.#services, found.workspaceId, found.actor);
    }
  }
}

function isSame(one: Principal['actor'], other: Principal['actor']): boolean {
  if (one.kind === 'API_KEY') return other.kind === 'API_KEY' && one.keyId === other.keyId;
  return one.kind === 'USER' && other.kind === 'USER' && one.userId === other.userId;
}

/** Whether a credential has lost a scope, or a workspace that it could enter. */
function lacks({ actor: now }: Principal, { actor: before }: Principal): boolean {
  if (before.scopes.some((scope) => !now.scopes.includes(scope))) return true;
  if (now.kind !== 'API_KEY' || before.kind !== 'API_KEY' || now.workspaces === 'ALL') return false;
  const { workspaces } = now;
  return before.workspaces === 'ALL' || before.workspaces.some((id) => !workspaces.includes(id));
}
