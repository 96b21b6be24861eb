/** What an iterator does; the rest of the protocol follows from it. */
export interface IteratorSource<T> {
  /** The next value; `done` ends the iterator. */
  next(): Promise<IteratorResult<T, undefined>>;
  /** Releases what the iterator holds. Takes effect at once, also while `next` waits; a second call is harmless. */
  close(): Promise<unknown>;
}

/**
 * An async iterator over a source, in the shape of an async generator. Unlike a generator, its `return` does not wait for
 * a pending `next`, and no value passes through a frame of its own: live events take this path for each subscriber.
 */
export function iterator<T>(source: IteratorSource<T>): AsyncGenerator<T, undefined, void> {
  const self: AsyncGenerator<T, undefined, void> = {
    next: () => source.next(),
    return: async () => {
      await source.close();
      return { done: true, value: undefined };
    },
    throw: async (error) => {
      await source.close();
      throw error;
    },
    [Symbol.asyncIterator]: () => self,
    [Symbol.asyncDispose]: async () => void (await source.close()),
  };
  return self;
}
