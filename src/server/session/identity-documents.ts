import { z } from 'zod';
import { UnavailableError } from '../../domain/error.ts';
import type { Logger } from '../../log.ts';
import { serverLimits } from '../limits.ts';

const {
  identityDocumentBytes: maxBytes,
  identityMs: timeoutMs,
  identityRetryMs: retryMs,
  identityKeys: maxKeys,
} = serverLimits;

/** The documents that an identity provider publishes. */
const shapes = {
  discovery: z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) }),
  keys: z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(maxKeys) }),
};

/**
 * Reads the documents of an identity provider. One that does not answer in time, answers too much or something else counts as
 * unavailable: it is asked again only after a pause, whatever number of tokens arrives, and the log says so once.
 */
export class IdentityDocuments {
  readonly #log: Logger;
  #failedAt = Number.NEGATIVE_INFINITY;
  #isAway = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Reads a document. Throws UnavailableError. `signal`: aborts a read that takes too long; by default there is a time limit. */
  async read<Kind extends keyof typeof shapes>(
    kind: Kind,
    url: string,
    signal: AbortSignal = AbortSignal.timeout(timeoutMs),
  ): Promise<z.output<(typeof shapes)[Kind]>> {
    if (performance.now() - this.#failedAt < retryMs) throw unavailable();
    try {
      const response = await fetch(url, { headers: { accept: 'application/json' }, redirect: 'error', signal });
      const text = await textOf(response);
      if (!response.ok) throw Object.assign(new Error('The response has an error status'), { status: response.status });
      const document = shapes[kind].parse(JSON.parse(text)) as z.output<(typeof shapes)[Kind]>;
      if (this.#isAway) this.#log.info('identity provider available again');
      this.#isAway = false;
      return document;
    } catch (error) {
      this.fail(error);
      throw unavailable();
    }
  }

  /** Counts the provider as unavailable. */
  fail(error: unknown): void {
    this.#failedAt = performance.now();
    if (!this.#isAway) this.#log.warn({ err: error }, 'identity provider unavailable');
    this.#isAway = true;
  }
}

export const unavailable = () =>
  new UnavailableError('The server cannot read the keys of the identity provider now. Retry in a few seconds.');

/** The body of a response. Throws when it is too long. */
async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error('The response is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
