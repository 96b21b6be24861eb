// For Apollo Client: new ApolloClient({ cache, link: new GraphQLWsLink(createClient({ …, retryAttempts: 0 })) }).
import { type ApolloClient, CombinedGraphQLErrors, type DocumentNode } from '@apollo/client';
import { type Connect, type Event, follow, iterate, refuse } from './follow.ts';

/** Returns a function that follows `query`: a subscription with `$after: String` and one field, which selects `cursor`. */
export function followByApollo<E extends Event>(
  client: ApolloClient,
  query: DocumentNode,
  variables: Record<string, unknown>,
) {
  const connect: Connect<E> = async function* (after, signal) {
    // Events have no identity: caching them would be useless.
    const results = client.subscribe<Record<string, E>>({
      query,
      variables: { ...variables, after },
      fetchPolicy: 'no-cache',
    });
    const subscribe = (sink: Parameters<Parameters<typeof iterate>[0]>[0]) => {
      const subscription = results.subscribe(sink);
      return () => subscription.unsubscribe();
    };
    for await (const result of iterate(subscribe, signal)) {
      const { data, error } = result as { data?: Record<string, E>; error?: unknown };
      if (CombinedGraphQLErrors.is(error)) refuse(error.errors);
      if (error) throw error;
      if (data) yield Object.values(data)[0] as E;
    }
  };
  return (after?: string | null, signal?: AbortSignal) => follow(connect, { after, signal });
}
