import type { Credential } from '../../domain/access/credential.ts';
import type { Principal } from '../../domain/access/principal.ts';
import { RateLimitedError } from '../../domain/error.ts';
import { serverLimits } from '../limits.ts';

/** Authenticates credentials together. Returns a principal or an error for each. */
type AuthenticateAll = (credentials: readonly Credential[]) => Promise<Array<Principal | Error>>;

interface Waiting {
  readonly credential: Credential;
  readonly found: PromiseWithResolvers<Principal>;
}

/**
 * Authenticates credentials, a few batches at a time: those that arrive meanwhile form the next batch. Any client can send
 * unknown credentials, and a thousand of them cost the database no more than one.
 */
export class CredentialLookup {
  readonly #authenticateAll: AuthenticateAll;
  readonly #parallel: number;
  #waiting: Waiting[] = [];
  #running = 0;

  /** `parallel`: the number of batches at a time. */
  constructor(authenticateAll: AuthenticateAll, parallel: number) {
    this.#authenticateAll = authenticateAll;
    this.#parallel = parallel;
  }

  /** Authenticates a credential. Throws the error that refuses it, and RateLimitedError if too many credentials wait. */
  find(credential: Credential): Promise<Principal> {
    if (this.#waiting.length >= serverLimits.waitingCredentials) {
      return Promise.reject(new RateLimitedError('Too many credentials are being checked. Try again later.'));
    }
    const found = Promise.withResolvers<Principal>();
    this.#waiting.push({ credential, found });
    if (this.#running < this.#parallel) void this.#run();
    return found.promise;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#running += 1;
    while (this.#waiting.length > 0) await this.#authenticate(this.#waiting.splice(0, serverLimits.credentialBatch));
    this.#running -= 1;
  }

  async #authenticate(batch: readonly Waiting[]): Promise<void> {
    try {
      const principals = await this.#authenticateAll(batch.map(({ credential }) => credential));
      for (const [index, { found }] of batch.entries()) {
        const principal = principals[index] as Principal | Error;
        if (principal instanceof Error) found.reject(principal);
        else found.resolve(principal);
      }
    } catch (error) {
      for (const { found } of batch) found.reject(error);
    }
  }
}
