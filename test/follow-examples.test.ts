import { ApolloClient, gql, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { subscriptionExchange, Client as UrqlClient } from '@urql/core';
import { createClient } from 'graphql-ws';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { followByApollo } from '../examples/follow/apollo.ts';
import type { Event } from '../examples/follow/follow.ts';
import { followByGraphqlWs } from '../examples/follow/graphql-ws.ts';
import { followBySse } from '../examples/follow/sse.ts';
import { followByUrql } from '../examples/follow/urql.ts';
import { all, joined, until } from './support/client.ts';
import { CuttingProxy } from './support/cutting-proxy.ts';
import { useApp } from './support/use-app.ts';

const app = useApp({ environment: { DEMO_DELAY_MS: '4' } });

const query = `subscription Follow($runId: ID!, $after: String) { runEvents(runId: $runId, after: $after) {
  __typename ... on Event { cursor } ... on MessageDelta { messageId text } ... on RunStatusChanged { status } } }`;

interface RunEvent extends Event {
  __typename: string;
  text?: string;
  status?: string;
}
type Follow = (after?: string | null, signal?: AbortSignal) => AsyncGenerator<RunEvent, void>;
type Variables = Record<string, unknown>;

/** A graphql-ws client that leaves reconnecting to the examples. */
const socketOf = (url: string, key: string) =>
  createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${key}` },
    retryAttempts: 0,
  });

const clients: Record<string, (url: string, key: string, variables: Variables) => Follow> = {
  'graphql-ws': (url, key, variables) => followByGraphqlWs<RunEvent>(socketOf(url, key), query, variables),
  SSE: (url, key, variables) =>
    followBySse<RunEvent>(`${url}/graphql`, { authorization: `Bearer ${key}` }, query, variables),
  'Apollo Client': (url, key, variables) => {
    const link = new GraphQLWsLink(socketOf(url, key));
    return followByApollo<RunEvent>(new ApolloClient({ link, cache: new InMemoryCache() }), gql(query), variables);
  },
  urql: (url, key, variables) => {
    const socket = socketOf(url, key);
    const forward = subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({
          unsubscribe: socket.subscribe({ ...request, query: request.query ?? '' }, sink as never),
        }),
      }),
    });
    const client = new UrqlClient({ url: `${url}/graphql`, exchanges: [forward], preferGetMethod: false });
    return followByUrql<RunEvent>(client, query, variables);
  },
};

const words = Array.from({ length: 40 }, (_, index) => `第${index}个🙂`).join(' ');

describe.each(Object.entries(clients))('following with %s', (_name, followWith) => {
  test('shows every delta once and in order over a connection that breaks repeatedly', async () => {
    const run = await app.client.ask(`say ${words}`);
    await using proxy = await CuttingProxy.start(app.url, () => 600 + Math.floor(Math.random() * 1200));
    const events = await all(followWith(proxy.url, app.client.key, { runId: run.id })());
    expect(joined(events)).toBe(words);
    expect(events.at(-1)?.status).toBe('COMPLETED');
    expect(new Set(events.map(({ cursor }) => cursor)).size).toBe(events.length);
    // A busy machine joins deltas, and fewer bytes mean fewer cuts.
    expect(proxy.cuts).toBeGreaterThan(0);
  });

  test('resumes from a stored cursor and stops on abort', async () => {
    const run = await app.client.ask(`say ${words}`);
    const follow = followWith(app.url, app.client.key, { runId: run.id });
    const first = await until(follow(), ({ text = '' }) => text.includes('5'));
    const rest = await all(follow(first.at(-1)?.cursor));
    expect(joined([...first, ...rest])).toBe(words);
    const stop = new AbortController();
    const endless = await app.client.ask(`say ${words}`);
    for await (const { text } of followWith(app.url, app.client.key, { runId: endless.id })(null, stop.signal)) {
      if (text) stop.abort();
    }
    expect(stop.signal.aborted).toBe(true);
  });

  test('reports a refusal and does not retry', async () => {
    const nowhere = followWith(app.url, app.client.key, { runId: 'run_nothing' });
    await expect(all(nowhere())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
