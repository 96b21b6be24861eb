import DataLoader from 'dataloader';
import type { DomainContext } from '../domain/context.ts';

/** Answers many keys at once, in their order. */
type Batch<Key, Value> = (ctx: DomainContext, keys: readonly Key[]) => Promise<readonly Value[]>;

/** A credential that is being looked at. */
export interface Watched {
  /** Aborts when the credential is no longer good, at most 5 s after that; its reason is the refusal to tell. */
  readonly revoked: AbortSignal;
  /** Looks no longer; calling it twice is harmless. */
  release(): void;
}

/** The credential behind a request: for what outlives the moment in which it was found to be good. */
export interface Access {
  /** For a subscription or a wait. Throws RateLimitedError when too many are open. */
  watch(): Watched;
}

/** What resolvers get: the domain's context, and batching for what plugin-prisma does not load. */
export interface GraphContext extends DomainContext {
  /** Aborts when the client goes. */
  readonly signal: AbortSignal;
  readonly access: Access;
  /** Loads by a batch function; the same key is read once a request, or once an event of a subscription. */
  load<Key, Value>(batch: Batch<Key, Value>, key: Key): Promise<Value>;
  /** Forgets what was loaded: between the events of a subscription. */
  forget(): void;
}

const cacheKey = (key: unknown) => (typeof key === 'object' ? JSON.stringify(key) : key);

/** Adds batching to a domain context, for one operation. */
export function graphContext(ctx: DomainContext, access: Access, signal: AbortSignal): GraphContext {
  const loaders = new Map<unknown, DataLoader<unknown, unknown>>();
  return {
    ...ctx,
    signal,
    access,
    load<Key, Value>(batch: Batch<Key, Value>, key: Key) {
      const known = loaders.get(batch) as DataLoader<Key, Value> | undefined;
      const loader =
        known ?? new DataLoader<Key, Value>((keys) => batch(ctx, keys) as never, { cacheKeyFn: cacheKey as never });
      if (!known) loaders.set(batch, loader as DataLoader<unknown, unknown>);
      return loader.load(key);
    },
    forget: () => loaders.clear(),
  };
}
