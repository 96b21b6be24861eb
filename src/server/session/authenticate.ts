import { GraphQLError } from 'graphql';
import { type Credential, type ExternalTokens, isExternalToken } from '../../domain/access/credential.ts';
import { credentialTopic } from '../../domain/access/credential-change.ts';
import type { KeyUsage } from '../../domain/access/key-usage.ts';
import { authenticate, type Principal } from '../../domain/access/principal.ts';
import type { Services } from '../../domain/context.ts';
import { CredentialError, DomainError, RateLimitedError } from '../../domain/error.ts';
import { codedError } from '../../graphql/schema/error.ts';
import type { Quota } from './quota.ts';
import { idOf, Session } from './session.ts';

const maxRemembered = 10_000;
/** How many are looked at with one statement. */
const confirmBatch = 1000;

const bearer = /^Bearer\s+(\S+)$/i;

/** The credential in an Authorization header (`Bearer <key or token>`) and the workspace that a request names. */
export function credentialIn(authorization: string | null, workspace: string | null): Credential {
  return { secret: bearer.exec(authorization?.trim() ?? '')?.[1] ?? null, workspace };
}

/** The refusal of a whole request, with the status that it has over HTTP; what is no refusal stays as it is. */
export function refusedRequest(error: unknown): unknown {
  if (!(error instanceof DomainError)) return error;
  const { message, extensions } = codedError(error);
  return new GraphQLError(message, { extensions: { ...extensions, http: { status: statusOf(error) } } });
}

/** The HTTP status of a refusal of a whole request. */
export function statusOf(error: DomainError): number {
  if (error instanceof RateLimitedError) return 429;
  return error instanceof CredentialError ? 401 : 403;
}

/** Work that is done again when asked for while it is under way: once, however often it was asked for. */
class Coalesced {
  readonly #work: () => Promise<void>;
  #isRunning = false;
  #isAsked = false;

  /** `work` must not throw. */
  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  ask(): void {
    this.#isAsked = true;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      await this.#work();
    }
    this.#isRunning = false;
  }
}

/**
 * Finds out who sends a request and in which workspace it acts; remembers good credentials for a moment, and keeps looking
 * at those of streams and sockets.
 */
export class Authenticator {
  /** What may be open at a time. */
  readonly quota: Quota;
  readonly #services: Services;
  readonly #outside: ExternalTokens | null;
  readonly #uses: KeyUsage;
  readonly #remembered = new Map<string, { until: number; admission: Promise<Principal> }>();
  readonly #watched = new Set<Session>();
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | null = null;
  readonly #passes: Coalesced[];

  constructor(services: Services, outside: ExternalTokens | null, uses: KeyUsage, quota: Quota) {
    this.quota = quota;
    this.#services = services;
    this.#outside = outside;
    this.#uses = uses;
    // An identity provider that hangs keeps nobody waiting but its own users.
    const isOutside = ({ secret }: Credential) => outside !== null && secret !== null && isExternalToken(secret);
    this.#passes = [
      new Coalesced(() => this.#confirmAll((credential) => !isOutside(credential))),
      new Coalesced(() => this.#confirmAll(isOutside)),
    ];
    this.#unsubscribe = services.bus.subscribe(credentialTopic, () => {
      this.#remembered.clear();
      this.#confirm();
    });
  }

  /** The session of whoever sends a credential. Throws CredentialError, and ForbiddenError for a foreign workspace. */
  async open(credential: Credential): Promise<Session> {
    const admission = await this.principalOf(credential);
    return new Session(this, credential, admission, this.#services);
  }

  /** Who a credential stands for. Throws as `open` does. */
  async principalOf(credential: Credential): Promise<Principal> {
    const id = idOf(credential);
    const known = this.#remembered.get(id);
    const found = known && known.until > Date.now() ? known.admission : this.#lookUp(credential, id);
    const admission = await found;
    if (admission.until !== null && admission.until <= new Date()) {
      throw new CredentialError('EXPIRED', 'This credential has expired.');
    }
    if (admission.actor.kind === 'API_KEY') this.#uses.note(admission.actor.keyId);
    return admission;
  }

  #lookUp(credential: Credential, id: string): Promise<Principal> {
    const admission = authenticate(this.#services, this.#outside, [credential]).then(([found]) => {
      if (found instanceof Error) throw found;
      return found as Principal;
    });
    this.#remembered.set(id, { until: Date.now() + this.#services.timing.credential.cacheMs, admission });
    admission.catch(() => this.#remembered.delete(id));
    if (this.#remembered.size > maxRemembered) this.#remembered.delete(this.#remembered.keys().next().value as string);
    return admission;
  }

  /** Keeps looking at a session's credential until `unwatch`. */
  watch(session: Session): void {
    this.#watched.add(session);
    this.#timer ??= setInterval(() => this.#tick(), this.#services.timing.credential.checkMs).unref();
  }

  unwatch(session: Session): void {
    this.#watched.delete(session);
    if (this.#watched.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  close(): void {
    this.#unsubscribe();
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #tick(): void {
    for (const session of this.#watched) session.expireToken();
    this.#confirm();
  }

  /** Looks at all watched credentials again. */
  #confirm(): void {
    for (const pass of this.#passes) pass.ask();
  }

  async #confirmAll(isMeant: (credential: Credential) => boolean): Promise<void> {
    const meant = [...this.#watched].filter(({ credential }) => isMeant(credential));
    const sessions = [...Map.groupBy(meant, ({ credential }) => idOf(credential)).values()];
    for (let start = 0; start < sessions.length; start += confirmBatch) {
      const batch = sessions.slice(start, start + confirmBatch) as Array<[Session, ...Session[]]>;
      const credentials = batch.map(([{ credential }]) => credential);
      try {
        const found = await authenticate(this.#services, this.#outside, credentials);
        for (const [index, group] of batch.entries()) {
          for (const session of group)
            session.revalidate(found[index] as Principal | Error, credentials[index] as Credential);
        }
      } catch (error) {
        this.#services.log.warn({ err: error }, 'credentials of open streams could not be looked at');
        for (const session of batch.flat()) session.revalidate(error as Error, session.credential);
      }
    }
  }
}
