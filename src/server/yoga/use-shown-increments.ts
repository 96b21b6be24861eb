import type { GraphQLError } from 'graphql';
import { isAsyncIterable, mapAsyncIterator, type Plugin } from 'graphql-yoga';

/** A part of an answer that comes in several. */
interface Part {
  incremental?: Array<{ errors?: readonly GraphQLError[] }>;
}

/** Shows clients the errors in what comes later of an answer as they are shown all others: yoga looks at the first part only. */
export function useShownIncrements(shown: (error: unknown) => Error): Plugin {
  const showAll = (part: Part): Part => ({
    ...part,
    incremental: part.incremental?.map((more) =>
      more.errors ? { ...more, errors: more.errors.map(shown) as never } : more,
    ),
  });
  return {
    onExecute: () => ({
      onExecuteDone: ({ result, setResult }) => {
        if (!isAsyncIterable(result)) return;
        const showPart = (part: Part) => (part.incremental ? showAll(part) : part);
        setResult(mapAsyncIterator(result as AsyncIterable<Part>, showPart) as never);
      },
    }),
  };
}
