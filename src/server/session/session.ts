import type { Admission, Credential } from '../../domain/access/credential.ts';
import { type DomainContext, domainContext, type Services } from '../../domain/context.ts';
import { CredentialError, DomainError } from '../../domain/error.ts';
import type { Access, Watched } from '../../graphql/context.ts';
import type { Lasting, Quota } from './quota.ts';

/** What a session asks of the authenticator that opened it. */
interface Admitting {
  readonly quota: Quota;
  /** Who a credential stands for. Throws CredentialError, and ForbiddenError for a foreign workspace. */
  admission(credential: Credential): Promise<Admission>;
  watch(session: Session): void;
  unwatch(session: Session): void;
}

/** The same for the same credential. */
export const idOf = ({ secret, workspace }: Credential) => `${secret} ${workspace ?? ''}`;

/** Whoever is behind a request, a stream or a socket, while their credential is good. */
export class Session implements Access {
  readonly #authenticator: Admitting;
  readonly #services: Services;
  readonly #lost = new AbortController();
  #watchers = 0;
  #credential: Credential;
  #admission: Admission;
  #context: DomainContext;

  constructor(authenticator: Admitting, credential: Credential, admission: Admission, services: Services) {
    this.#authenticator = authenticator;
    this.#services = services;
    this.#credential = credential;
    this.#admission = admission;
    this.#context = domainContext(services, admission.workspaceId, admission.actor);
  }

  /** What the session was opened, or last renewed, with. */
  get credential(): Credential {
    return this.#credential;
  }

  /** Whether another session is of the same actor in the same workspace. */
  isOfSame(other: Session): boolean {
    const { actor, workspaceId } = this.#admission;
    return isSame(actor, other.#admission.actor) && workspaceId === other.#admission.workspaceId;
  }

  /** The domain's context for what is asked in it. */
  get context(): DomainContext {
    return this.#context;
  }

  /** Looks at the credential until the release. Throws RateLimitedError when too many of that kind are open for its actor. */
  watch(kind: Lasting = 'stream'): Watched {
    const giveBack = this.#authenticator.quota.take(kind, this.#admission.actor, this.#admission.workspaceId);
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
    return { lost: this.#lost.signal, release };
  }

  /**
   * Goes on with another credential, for the same actor in the same workspace with no fewer scopes: streams that are
   * open were opened with those. Throws CredentialError when it is for anything else, or not good.
   */
  async renew({ secret, workspace }: Credential): Promise<void> {
    const credential = { secret, workspace: workspace ?? this.#credential.workspace };
    const admission = await this.#authenticator.admission(credential);
    const { actor, workspaceId } = this.#admission;
    if (!isSame(actor, admission.actor) || admission.workspaceId !== workspaceId || lacks(admission, this.#admission)) {
      const howTo =
        'A socket goes on with a new credential for the same actor, workspace and scopes: open another one.';
      throw new CredentialError('RIGHTS_CHANGED', howTo);
    }
    this.#credential = credential;
    this.#admission = admission;
    this.#context = domainContext(this.#services, workspaceId, admission.actor);
  }

  /** Ends the session of a token whose time has come: nobody need be asked for that. */
  expireToken(): void {
    if (this.#admission.actor.kind === 'USER' && this.#isOver()) this.#expire();
  }

  #isOver(): boolean {
    const { until } = this.#admission;
    return until !== null && until <= new Date();
  }

  #expire(): void {
    this.#lost.abort(new CredentialError('EXPIRED', 'This credential has expired.'));
  }

  /** Ends the session when its credential is no longer good. `found`: what `credential` has come to. */
  judge(found: Admission | Error, credential: Credential): void {
    // It has been renewed since: the new one is looked at next time.
    if (idOf(credential) !== idOf(this.#credential)) return;
    if (found instanceof DomainError) this.#lost.abort(found);
    else if (this.#isOver()) this.#expire();
    else if (found instanceof Error) {
      this.#services.log.warn({ err: found }, 'a credential could not be looked at');
    } else if (lacks(found, this.#admission)) {
      this.#lost.abort(new CredentialError('RIGHTS_CHANGED', 'This credential may no longer do what it could.'));
    } else {
      // What is asked from now on is asked with what the credential is now: a nearer end, say.
      this.#admission = found;
      this.#context = domainContext(this.#services, found.workspaceId, found.actor);
    }
  }
}

function isSame(one: Admission['actor'], other: Admission['actor']): boolean {
  if (one.kind === 'API_KEY') return other.kind === 'API_KEY' && one.keyId === other.keyId;
  return one.kind === 'USER' && other.kind === 'USER' && one.userId === other.userId;
}

/** Whether a credential has lost a scope, or a workspace that it could enter. */
function lacks({ actor: now }: Admission, { actor: before }: Admission): boolean {
  if (before.scopes.some((scope) => !now.scopes.includes(scope))) return true;
  if (now.kind !== 'API_KEY' || before.kind !== 'API_KEY' || now.reach === 'ALL') return false;
  const { reach } = now;
  return before.reach === 'ALL' || before.reach.some((id) => !reach.includes(id));
}
