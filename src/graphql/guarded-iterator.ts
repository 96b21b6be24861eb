import { type IteratorSource, iterator } from '../async/iterator.ts';
import type { GraphContext } from './context.ts';

/**
 * An iterator over the source that `open` returns, bound to a client and its credential:
 * - `open` is awaited first: if it throws, the subscription is refused with that error.
 * - If the credential is revoked, `next` throws the reason once.
 * - If the client disconnects, the source is closed at once, even while no `next` is pending.
 * - `return` takes effect at once. That of a generator would wait for the pending `next`.
 */
export async function guardedIterator<T>(
  { access, signal }: Pick<GraphContext, 'access' | 'signal'>,
  open: (signal: AbortSignal) => Promise<IteratorSource<T>>,
): Promise<AsyncGenerator<T, undefined, void>> {
  const stop = new AbortController();
  const { revoked, release } = access.watch();
  const onRevoked = () => stop.abort();
  const onDisconnected = () => void close();
  const stopWatching = () => {
    revoked.removeEventListener('abort', onRevoked);
    signal.removeEventListener('abort', onDisconnected);
    release();
    stop.abort();
  };
  revoked.addEventListener('abort', onRevoked);
  if (revoked.aborted) {
    stopWatching();
    throw revoked.reason;
  }
  const source = await open(stop.signal).catch((error) => {
    stopWatching();
    throw error;
  });
  const done = { done: true as const, value: undefined };
  const close = async () => {
    stopWatching();
    await source.close();
  };
  const next = async () => {
    try {
      return await source.next();
    } catch (error) {
      // A consumer does not call `return` on an iterator that has thrown.
      await close();
      throw error;
    }
  };
  if (signal.aborted) onDisconnected();
  else signal.addEventListener('abort', onDisconnected);
  let hasThrownReason = false;
  return iterator({
    next: async () => {
      const result = stop.signal.aborted ? done : await next();
      if (!revoked.aborted && !result.done) return result;
      await close();
      if (!revoked.aborted || hasThrownReason) return done;
      hasThrownReason = true;
      throw revoked.reason;
    },
    close,
  });
}
