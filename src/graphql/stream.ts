/**
 * An iterator over what `open` gives, whose `return` takes effect at once: a generator that waits for its next value
 * would not hear of it. `open` is awaited first, so that what it throws refuses the subscription.
 */
export async function untilReturned<T>(
  open: (signal: AbortSignal) => Promise<AsyncGenerator<T>>,
): Promise<AsyncIterableIterator<T>> {
  const stop = new AbortController();
  const source = await open(stop.signal);
  const done = { done: true as const, value: undefined };
  const close = async () => {
    stop.abort();
    await source.return(undefined);
    return done;
  };
  const iterator: AsyncIterableIterator<T> = {
    [Symbol.asyncIterator]: () => iterator,
    next: () => (stop.signal.aborted ? Promise.resolve(done) : source.next()),
    return: close,
    throw: async (error) => {
      await close();
      throw error;
    },
  };
  return iterator;
}
