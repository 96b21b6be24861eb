import type { Actor } from '../../domain/access/actor.ts';
import { RateLimitedError } from '../../domain/error.ts';

/** What lasts: a socket (or the event stream that stands for one), a subscription or wait on it, or a request with files. */
export type QuotaKind = 'socket' | 'stream' | 'upload';

/** How much of each may be open at a time in one process, for a key and for an end user. */
export type QuotaLimits = Record<QuotaKind, { key: number; user: number }>;

/** Counts what is open for each key and each end user. */
export class Quota {
  readonly #limits: QuotaLimits;
  readonly #open = new Map<string, number>();

  constructor(limits: QuotaLimits) {
    this.#limits = limits;
  }

  /** Counts one more, until the returned function is called. Throws RateLimitedError when that is too many. */
  acquire(kind: QuotaKind, actor: Actor, workspaceId: string): () => void {
    const holder = actor.kind === 'USER' ? `${workspaceId} ${actor.userId}` : actor.kind === 'API_KEY' && actor.keyId;
    const id = `${kind} ${holder}`;
    const limit = this.#limits[kind][actor.kind === 'USER' ? 'user' : 'key'];
    const open = this.#open.get(id) ?? 0;
    if (open >= limit) {
      throw new RateLimitedError(`You have ${open} ${kind}s open, the limit. Close one, or use one for several.`);
    }
    this.#open.set(id, open + 1);
    return () => {
      const left = (this.#open.get(id) ?? 1) - 1;
      if (left > 0) this.#open.set(id, left);
      else this.#open.delete(id);
    };
  }
}
