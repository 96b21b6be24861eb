import DataLoader from 'dataloader';
import type { DomainContext } from '../domain/context.ts';
import type { FeedItem } from '../domain/follow/follower.ts';

/** Loads the values of many keys at once, in the order of the keys. */
type Batch<Key, Value> = (ctx: GraphContext, keys: readonly Key[]) => Promise<readonly Value[]>;

/** A watch on the credential of a request. */
export interface Watched {
  /** Aborts at most 5 s after the credential stops being valid. Its reason is the error for the client. */
  readonly revoked: AbortSignal;
  /** Ends the watch. Calling it again does nothing. */
  release(): void;
}

/** The credential of a request, for operations that outlive the check at their start. */
export interface Access {
  /** Watches the credential for a subscription or a wait. Throws RateLimitedError when too many are open. */
  watch(): Watched;
}

/** Counts the size of an answer while it is made. */
export interface AnswerMeter {
  /** The bytes that the answer may have. */
  readonly maxBytes: number;
  /** Counts characters of the answer. Throws the error for an answer that is too large or finds no memory. */
  count(characters: number): void;
}

/** The context of resolvers: the domain context, and batched loading for data that plugin-prisma does not load. */
export interface GraphContext extends DomainContext {
  /** Aborts when the client disconnects. */
  readonly signal: AbortSignal;
  readonly access: Access;
  /** Of a query, a mutation or an event. */
  readonly meter?: AnswerMeter;
  /** The cursor after which the client of an event stream resumes a subscription, instead of the argument `after`. */
  readonly resumeAfter?: string;
  /** Of an event: the growing texts at its cursor. */
  readonly textAt?: FeedItem['textAt'];
  /** Loads a key with a batch function. A key is read once per request, or once per event of a subscription. */
  load<Key, Value>(batch: Batch<Key, Value>, key: Key): Promise<Value>;
  /** Clears the loaded values. Subscriptions call it between events. */
  forget(): void;
}

const cacheKey = (key: unknown) => (typeof key === 'object' ? JSON.stringify(key) : key);

/** Adds batched loading to a domain context, for one operation. */
export function graphContext(ctx: DomainContext, access: Access, signal: AbortSignal): GraphContext {
  const loaders = new Map<unknown, DataLoader<unknown, unknown>>();
  return {
    ...ctx,
    signal,
    access,
    load<Key, Value>(this: GraphContext, batch: Batch<Key, Value>, key: Key) {
      const known = loaders.get(batch) as DataLoader<Key, Value> | undefined;
      const loader =
        known ?? new DataLoader<Key, Value>((keys) => batch(this, keys) as never, { cacheKeyFn: cacheKey as never });
      if (!known) loaders.set(batch, loader as DataLoader<unknown, unknown>);
      return loader.load(key);
    },
    forget: () => loaders.clear(),
  };
}
