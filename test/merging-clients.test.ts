import { ApolloClient, gql, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { isAbstractType } from 'graphql';
import { createClient } from 'graphql-ws';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { schema } from './support/schema-cases.ts';
import { stepwise, stepwiseTools } from './support/stepwise.ts';
import { useApp, useModel } from './support/use-app.ts';

const model = useModel();
const app = useApp({ model });
const closing: Array<() => void> = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** The types behind each interface and union, as docs/events.md derives them from the schema. */
const possibleTypes = Object.fromEntries(
  Object.values(schema.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
);

/** An Apollo Client with the default cache and the default reconnection of graphql-ws. */
function apollo() {
  const socket = createClient({
    url: `${app.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${app.client.key}` },
  });
  const cache = new InMemoryCache({
    possibleTypes,
    // Events are no objects to keep: each replaces the one before.
    typePolicies: { Subscription: { fields: { runEvents: { merge: false } } } },
  });
  const client = new ApolloClient({ link: new GraphQLWsLink(socket), cache });
  closing.push(() => {
    client.stop();
    void socket.dispose();
  });
  return { client, socket };
}

const screen = gql`
  query Screen($id: ID!) {
    run(id: $id) { id status messages { nodes { id text status } } steps { nodes { id status toolCalls { id index ... on FunctionToolCall { arguments output } } } } }
  }
`;
const live = gql`
  subscription Live($id: ID!) {
    runEvents(runId: $id) {
      ... on RunStatusChanged { run { id status messages { nodes { id text status } } steps { nodes { id status toolCalls { id index ... on FunctionToolCall { arguments output } } } } } }
      ... on MessageStarted { message { id text status run { id messages { nodes { id } } } } }
      ... on MessageDelta { message { id text status } }
      ... on MessageEnded { message { id text status } }
      ... on StepDelta { toolCall { id } step { id status toolCalls { id index ... on FunctionToolCall { arguments output } } } }
    }
  }
`;

/** Follows a run of the stepwise model with Apollo Client; `onDelta` is called after each delta that arrived. */
async function watch(onDelta: (socket: ReturnType<typeof apollo>['socket'], count: number) => void) {
  const control = stepwise(model);
  const { id } = await app.client.ask('Go on', { tools: stepwiseTools });
  const { client, socket } = apollo();
  const shown: any[] = [];
  const query = client.watchQuery({ query: screen, variables: { id }, fetchPolicy: 'cache-and-network' });
  const watching = query.subscribe(({ data }) => shown.push(data));
  let count = 0;
  const parked = Promise.withResolvers<void>();
  const following = client.subscribe({ query: live, variables: { id } }).subscribe(({ data, error }: any) => {
    if (error) parked.reject(error);
    const event = data?.runEvents;
    if (event?.run?.status === 'REQUIRES_ACTION') parked.resolve();
    count += 1;
    onDelta(socket, count);
    if (event?.__typename.endsWith('Delta')) control.next();
  });
  closing.push(() => {
    watching.unsubscribe();
    following.unsubscribe();
  });
  await parked.promise;
  await expect.poll(() => shown.at(-1)?.run?.status).toBe('REQUIRES_ACTION');
  return shown.map(({ run } = {}) => run).filter((run) => run);
}

const textOf = (run: any): string => run.messages?.nodes?.[0]?.text ?? '';
const argumentsOf = (run: any): string[] =>
  run.steps?.nodes?.flatMap(({ toolCalls }: any) => toolCalls.map((call: any) => call.arguments)) ?? [];

test('Apollo Client shows a streaming answer and its calls by field selection alone', async () => {
  const shown = await watch(() => {});
  const texts = [...new Set(shown.map(textOf))];
  expect(texts.length).toBeGreaterThan(2);
  for (const text of texts) expect('Wait, 请稍等 ⏳'.startsWith(text)).toBe(true);
  expect(texts.at(-1)).toBe('Wait, 请稍等 ⏳');
  expect(argumentsOf(shown.at(-1))).toEqual(['{"a":1}', '{"b":2}']);
});

test('Apollo Client shows no text twice when graphql-ws subscribes again on its own', async () => {
  let cut = 0;
  const shown = await watch((socket, count) => {
    if (count !== 4 && count !== 7) return;
    cut += 1;
    socket.terminate();
  });
  expect(cut).toBe(2);
  for (const run of shown) expect('Wait, 请稍等 ⏳'.startsWith(textOf(run))).toBe(true);
  expect(textOf(shown.at(-1))).toBe('Wait, 请稍等 ⏳');
  expect(argumentsOf(shown.at(-1))).toEqual(['{"a":1}', '{"b":2}']);
});
