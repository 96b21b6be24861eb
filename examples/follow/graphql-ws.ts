// For graphql-ws: createClient({ url, connectionParams, retryAttempts: 0 }). `follow` reconnects, because it has the cursor.
import type { Client } from 'graphql-ws';
import { type Connect, type Event, follow, type GraphError, refuse } from './follow.ts';

/** Returns a function that follows `query`: a subscription with `$after: String` and one field, which selects `cursor`. */
export function followByGraphqlWs<E extends Event>(client: Client, query: string, variables: Record<string, unknown>) {
  const connect: Connect<E> = async function* (after, signal) {
    const results = client.iterate<Record<string, E>>({ query, variables: { ...variables, after } });
    signal.addEventListener('abort', () => void results.return?.());
    try {
      for await (const { data, errors } of results) {
        refuse(errors);
        if (data) yield Object.values(data)[0] as E;
      }
    } catch (error) {
      // A list of GraphQL errors is a refusal; anything else is a broken connection.
      if (Array.isArray(error)) refuse(error as GraphError[]);
      throw error;
    }
  };
  return (after?: string | null, signal?: AbortSignal) => follow(connect, { after, signal });
}
