import type { ExecutionResult, GraphQLError } from 'graphql';
import { iterator } from '../../async/iterator.ts';

/** A result stream that consists of errors. */
export async function* errorResult(errors: readonly GraphQLError[]): AsyncGenerator<ExecutionResult> {
  yield { errors };
}

/** The same results, but an error that their iterator throws becomes the last result. `mask`: see `maskError`. */
export function withErrorResults(
  results: AsyncIterable<ExecutionResult>,
  mask: (error: unknown) => Error,
): AsyncGenerator<ExecutionResult, undefined> {
  const inner = results[Symbol.asyncIterator]();
  let hasFailed = false;
  return iterator<ExecutionResult>({
    next: async () => {
      if (hasFailed) return { done: true, value: undefined };
      try {
        return await inner.next();
      } catch (error) {
        hasFailed = true;
        return { done: false, value: { errors: [mask(error) as GraphQLError] } };
      }
    },
    close: async () => inner.return?.(),
  });
}
