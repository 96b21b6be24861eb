import type { ExecutionResult, GraphQLError } from 'graphql';

/** Errors as the answer to an operation. */
export async function* errorResult(errors: readonly GraphQLError[]): AsyncGenerator<ExecutionResult> {
  yield { errors };
}

/** The same results; what goes wrong with them is the last of them, as `shown` says it, and no fault of whatever reads them. */
export function withErrorResults(
  results: AsyncIterable<ExecutionResult>,
  shown: (error: unknown) => Error,
): AsyncGenerator<ExecutionResult, void> {
  const inner = results[Symbol.asyncIterator]();
  let isBroken = false;
  const iterator: AsyncGenerator<ExecutionResult, void> = {
    next: async () => {
      if (isBroken) return { done: true, value: undefined };
      try {
        return (await inner.next()) as IteratorResult<ExecutionResult, void>;
      } catch (error) {
        isBroken = true;
        return { done: false, value: { errors: [shown(error) as GraphQLError] } };
      }
    },
    return: async () => (await inner.return?.()) as IteratorReturnResult<void>,
    throw: async (error) => {
      await inner.return?.();
      throw error;
    },
    [Symbol.asyncIterator]: () => iterator,
    [Symbol.asyncDispose]: async () => void (await inner.return?.()),
  };
  return iterator;
}
