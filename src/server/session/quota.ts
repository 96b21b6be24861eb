import type { Actor } from '../../domain/access/actor.ts';
import { RateLimitedError } from '../../domain/error.ts';

/** A WebSocket or reserved event stream; a subscription or `waitForRun`; a request with files. */
export type QuotaKind = 'socket' | 'stream' | 'upload';

/** The numbers that can be open at a time in one process, per API key and per end user. */
export type QuotaLimits = Record<QuotaKind, { key: number; user: number }>;

/** Counts sockets, streams and uploads per API key and per end user, and refuses those beyond the limits. */
export class Quota {
  readonly #limits: QuotaLimits;
  readonly #open = new Map<string, number>();

  constructor(limits: QuotaLimits) {
    this.#limits = limits;
  }

  /** Counts one more until the returned function is called, once. Throws RateLimitedError at the limit. */
  acquire(kind: QuotaKind, actor: Actor, workspaceId: string): () => void {
    const holder = actor.kind === 'USER' ? `${workspaceId} ${actor.userId}` : actor.kind === 'API_KEY' && actor.keyId;
    const id = `${kind} ${holder}`;
    const limit = this.#limits[kind][actor.kind === 'USER' ? 'user' : 'key'];
    const open = this.#open.get(id) ?? 0;
    if (open >= limit) {
      throw new RateLimitedError(`You have ${open} ${kind}s open, which is the limit. Close one first.`);
    }
    this.#open.set(id, open + 1);
    return () => {
      const left = (this.#open.get(id) ?? 1) - 1;
      if (left > 0) this.#open.set(id, left);
      else this.#open.delete(id);
    };
  }
}
