import type { GraphQLError } from 'graphql';
import { isAsyncIterable, mapAsyncIterator, type Plugin } from 'graphql-yoga';

/** A part of the response to a query with @defer or @stream. */
interface Part {
  incremental?: Array<{ errors?: readonly GraphQLError[] }>;
}

/** Masks the errors in all parts of an incremental response: yoga masks those of the first part only. */
export function useMaskedIncrements(mask: (error: unknown) => Error): Plugin {
  const masked = (part: Part): Part => ({
    ...part,
    incremental: part.incremental?.map((increment) =>
      increment.errors ? { ...increment, errors: increment.errors.map(mask) as never } : increment,
    ),
  });
  return {
    onExecute: () => ({
      onExecuteDone: ({ result, setResult }) => {
        if (!isAsyncIterable(result)) return;
        const maskPart = (part: Part) => (part.incremental ? masked(part) : part);
        setResult(mapAsyncIterator(result as AsyncIterable<Part>, maskPart) as never);
      },
    }),
  };
}
