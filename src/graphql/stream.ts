import type { Access } from './context.ts';

/**
 * An iterator over what `open` gives, whose `return` takes effect at once: a generator that waits for its next value
 * would not hear of it. `open` is awaited first, so that what it throws refuses the subscription. When the credential
 * is no longer good, the iterator throws the refusal.
 */
export async function whileAllowed<T>(
  access: Access,
  open: (signal: AbortSignal) => Promise<AsyncGenerator<T>>,
): Promise<AsyncIterableIterator<T>> {
  const stop = new AbortController();
  const { lost, release } = access.watch();
  const halt = () => stop.abort();
  lost.addEventListener('abort', halt);
  const end = () => {
    lost.removeEventListener('abort', halt);
    release();
    stop.abort();
  };
  const source = await open(stop.signal).catch((error) => {
    end();
    throw error;
  });
  const done = { done: true as const, value: undefined };
  let isTold = false;
  const close = async () => {
    end();
    await source.return(undefined);
    return done;
  };
  const iterator: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => iterator,
    next: async () => {
      const result = stop.signal.aborted ? done : await source.next();
      if (!lost.aborted && !result.done) return result;
      await close();
      if (!lost.aborted || isTold) return done;
      isTold = true;
      throw lost.reason;
    },
    return: close,
    throw: async (error) => {
      await close();
      throw error;
    },
  };
  return iterator;
}
