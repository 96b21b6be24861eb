import { coalesce } from '../../async/coalesce.ts';
import { type Credential, type ExternalTokens, isExternalToken } from '../../domain/access/credential.ts';
import { authenticate, type Principal } from '../../domain/access/principal.ts';
import type { Services } from '../../domain/context.ts';
import type { DomainError } from '../../domain/error.ts';
import { credentialId, type Session } from './session.ts';

/** The number of credentials that are authenticated with one set of statements. */
const batchSize = 1000;

/**
 * Checks the credentials of sessions with open streams or sockets: every `timing.credential.checkMs`, and whenever `check` is
 * called. A session whose credential has ended is revoked.
 */
export class CredentialWatch {
  readonly #services: Services;
  readonly #externalTokens: ExternalTokens | null;
  readonly #sessions = new Set<Session>();
  readonly #checks: ReadonlyArray<() => Promise<void>>;
  #timer: NodeJS.Timeout | null = null;

  constructor(services: Services, externalTokens: ExternalTokens | null) {
    this.#services = services;
    this.#externalTokens = externalTokens;
    const isExternal = ({ secret }: Credential) =>
      externalTokens !== null && secret !== null && isExternalToken(secret);
    // Two independent checks: an identity provider that hangs must not delay the check of keys and session tokens.
    this.#checks = [
      coalesce(() => this.#checkAll((credential) => !isExternal(credential))),
      coalesce(() => this.#checkAll(isExternal)),
    ];
  }

  /** Includes a session in the checks until `remove`. */
  add(session: Session): void {
    this.#sessions.add(session);
    this.#timer ??= setInterval(() => this.#tick(), this.#services.timing.credential.checkMs).unref();
  }

  remove(session: Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.close();
  }

  /** Ends all watched sessions with an error for their clients. */
  endAll(reason: DomainError): void {
    for (const session of [...this.#sessions]) session.end(reason);
  }

  /** Checks all credentials now. */
  check(): void {
    for (const check of this.#checks) {
      check().catch((error) => this.#services.log.error({ err: error }, 'credential check failed'));
    }
  }

  /** Stops the periodic check. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    for (const session of this.#sessions) session.expireToken();
    if (!this.#services.availability.isAway) this.check();
  }

  async #checkAll(isIncluded: (credential: Credential) => boolean): Promise<void> {
    const included = [...this.#sessions].filter(({ credential }) => isIncluded(credential));
    const groups = [...Map.groupBy(included, ({ credential }) => credentialId(credential)).values()];
    for (let start = 0; start < groups.length; start += batchSize) {
      await this.#checkBatch(groups.slice(start, start + batchSize) as Array<[Session, ...Session[]]>);
    }
  }

  /** `groups`: sessions with the same credential. */
  async #checkBatch(groups: Array<[Session, ...Session[]]>): Promise<void> {
    const credentials = groups.map(([{ credential }]) => credential);
    try {
      const found = await authenticate(this.#services, this.#externalTokens, credentials);
      for (const [index, group] of groups.entries()) {
        for (const session of group) {
          session.revalidate(found[index] as Principal | Error, credentials[index] as Credential);
        }
      }
    } catch (error) {
      this.#services.log.warn({ err: error }, 'credential check failed');
      for (const session of groups.flat()) session.revalidate(error as Error, session.credential);
    }
  }
}
