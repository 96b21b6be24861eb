// With graphql-ws: createClient({ url, connectionParams, retryAttempts: 0 }), because `follow` connects again, with the cursor.
import type { Client } from 'graphql-ws';
import { type Connect, type Event, follow, type GraphError, refuse } from './follow.ts';

/** `query` takes `$after: String` and has one field, whose events select `cursor`. */
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
      // What the server refuses comes as a list; anything else is a connection that broke.
      if (Array.isArray(error)) refuse(error as GraphError[]);
      throw error;
    }
  };
  return (after?: string | null, signal?: AbortSignal) => follow(connect, { after, signal });
}
