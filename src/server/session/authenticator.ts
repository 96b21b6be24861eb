import { LRUCache } from 'lru-cache';
import { type Credential, type ExternalTokens, isExternalToken } from '../../domain/access/credential.ts';
import { credentialTopic } from '../../domain/access/credential-change.ts';
import type { KeyUsage } from '../../domain/access/key-usage.ts';
import { authenticate, type Principal } from '../../domain/access/principal.ts';
import type { Services } from '../../domain/context.ts';
import { CredentialError, UnavailableError } from '../../domain/error.ts';
import { serverLimits } from '../limits.ts';
import { CredentialLookup } from './credential-lookup.ts';
import { CredentialWatch } from './credential-watch.ts';
import type { Quota } from './quota.ts';
import { credentialId, Session } from './session.ts';

/** Opens sessions for credentials, and caches the principals of valid credentials for `timing.credential.cacheMs`. */
export class Authenticator {
  readonly quota: Quota;
  /** Ends the sessions of open streams and sockets when their credentials end, and when the database is away for long. */
  readonly watch: CredentialWatch;
  readonly #services: Services;
  readonly #ownLookup: CredentialLookup;
  /** Of the tokens of the identity provider: one that hangs must not delay keys and session tokens. */
  readonly #externalLookup: CredentialLookup | null;
  readonly #usage: KeyUsage;
  readonly #principals: LRUCache<string, Promise<Principal>>;
  readonly #unsubscribes: Array<() => void>;

  /** `externalTokens`: null if no identity provider is configured. */
  constructor(options: {
    services: Services;
    externalTokens: ExternalTokens | null;
    usage: KeyUsage;
    quota: Quota;
  }) {
    const { services, externalTokens } = options;
    this.quota = options.quota;
    this.watch = new CredentialWatch(services, externalTokens);
    this.#services = services;
    const find = (credentials: readonly Credential[]) => authenticate(services, externalTokens, credentials);
    this.#ownLookup = new CredentialLookup(find, 4);
    // More at a time: each may wait for the identity provider.
    this.#externalLookup = externalTokens && new CredentialLookup(find, 100);
    this.#usage = options.usage;
    this.#principals = new LRUCache({ max: serverLimits.cachedCredentials, ttl: services.timing.credential.cacheMs });
    const onChange = () => {
      this.#principals.clear();
      this.watch.check();
    };
    this.#unsubscribes = [
      services.bus.subscribe(credentialTopic, onChange),
      services.availability.onLongOutage(() => this.watch.endAll(new UnavailableError())),
    ];
  }

  /**
   * Opens a session. Throws CredentialError, ForbiddenError for a workspace that the credential may not enter, and UnavailableError
   * while the database is away for long.
   */
  async open(credential: Credential): Promise<Session> {
    if (this.#services.availability.isLongAway) throw new UnavailableError();
    return new Session(this, credential, await this.principalOf(credential), this.#services);
  }

  /** Authenticates a credential. Throws as `open` does. */
  async principalOf(credential: Credential): Promise<Principal> {
    const id = credentialId(credential);
    const principal = await (this.#principals.get(id) ?? this.#authenticate(credential, id));
    if (principal.until !== null && principal.until <= new Date()) {
      throw new CredentialError('EXPIRED', 'This credential has expired.');
    }
    if (principal.actor.kind === 'API_KEY') this.#usage.note(principal.actor.keyId);
    return principal;
  }

  #authenticate(credential: Credential, id: string): Promise<Principal> {
    const { secret } = credential;
    const isExternal = secret !== null && isExternalToken(secret);
    const found = ((isExternal && this.#externalLookup) || this.#ownLookup).find(credential);
    this.#principals.set(id, found);
    found.catch(() => {
      if (this.#principals.peek(id) === found) this.#principals.delete(id);
    });
    return found;
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    this.watch.close();
  }
}
