import type { GraphContext } from './context.ts';

/**
 * An iterator over what `open` gives, whose `return` takes effect at once: a generator that waits for its next value
 * would not hear of it. `open` is awaited first, so that what it throws refuses the subscription. When the credential
 * is no longer good, the iterator throws the refusal; when the client goes, it ends, also if nobody asks it for anything.
 */
export async function guardedIterator<T>(
  { access, signal }: Pick<GraphContext, 'access' | 'signal'>,
  open: (signal: AbortSignal) => Promise<AsyncIterableIterator<T>>,
): Promise<AsyncIterableIterator<T>> {
  const stop = new AbortController();
  const { revoked, release } = access.watch();
  const halt = () => stop.abort();
  const leave = () => void close();
  const end = () => {
    revoked.removeEventListener('abort', halt);
    signal.removeEventListener('abort', leave);
    release();
    stop.abort();
  };
  revoked.addEventListener('abort', halt);
  if (revoked.aborted) {
    end();
    throw revoked.reason;
  }
  const source = await open(stop.signal).catch((error) => {
    end();
    throw error;
  });
  const done = { done: true as const, value: undefined };
  const close = async () => {
    end();
    await source.return?.();
    return done;
  };
  const next = async () => {
    try {
      return await source.next();
    } catch (error) {
      // Nobody closes an iterator that has thrown.
      await close();
      throw error;
    }
  };
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave);
  let isTold = false;
  const iterator: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => iterator,
    next: async () => {
      const result = stop.signal.aborted ? done : await next();
      if (!revoked.aborted && !result.done) return result;
      await close();
      if (!revoked.aborted || isTold) return done;
      isTold = true;
      throw revoked.reason;
    },
    return: close,
    throw: async (error) => {
      await close();
      throw error;
    },
  };
  return iterator;
}
