// For urql: a client whose subscriptionExchange forwards to createClient({ …, retryAttempts: 0 }) of graphql-ws.
import type { Client, OperationResult } from '@urql/core';
import { type Connect, type Event, follow, iterate, refuse, type Sink } from './follow.ts';

/** Returns a function that follows `query`: a subscription with `$after: String` and one field, which selects `cursor`. */
export function followByUrql<E extends Event>(client: Client, query: string, variables: Record<string, unknown>) {
  const connect: Connect<E> = async function* (after, signal) {
    // urql has no completion callback: `hasNext` is false in the last result.
    const subscribe = (sink: Sink<OperationResult<Record<string, E>>>) =>
      client.subscription<Record<string, E>>(query, { ...variables, after }).subscribe((result) => {
        sink.next(result);
        if (!result.hasNext) sink.complete();
      }).unsubscribe;
    let last = after;
    for await (const { data, error } of iterate(subscribe, signal)) {
      if (error?.networkError) throw error.networkError;
      refuse(error?.graphQLErrors);
      const event = data && (Object.values(data)[0] as E);
      // On completion urql repeats the last event.
      if (!event || event.cursor === last) continue;
      last = event.cursor;
      yield event;
    }
  };
  return (after?: string | null, signal?: AbortSignal) => follow(connect, { after, signal });
}
