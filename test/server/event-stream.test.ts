import { once } from 'node:events';
import { connect } from 'node:net';
import { createClient } from 'graphql-sse';
import { describe, expect, test } from 'vitest';
import { all, type Client, joined, until } from '../support/client.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model, environment: { MAX_SOCKETS_PER_USER: '3', MAX_STREAMS_PER_USER: '3' } });

const follow = `subscription($id: ID!, $after: String) { runEvents(runId: $id, after: $after) {
  __typename ... on Event { cursor } ... on MessageDelta { text } ... on RunStatusChanged { status } } }`;

/** The client of graphql-sse, with one stream for all operations or one for each. */
function sseClient({ url, headers }: Client, singleConnection: boolean) {
  return createClient({ url: `${url}/graphql`, headers, singleConnection, retryAttempts: 0 });
}

/** Sends one request of the protocol. */
const ask = (client: Client, method: string, token: string | null, body?: object, headers: object = {}) =>
  fetch(`${client.url}/graphql`, {
    method,
    headers: { ...client.headers, ...(token ? { 'x-graphql-event-stream-token': token } : {}), ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
const operation = (query: string, operationId = '1', variables = {}) => ({
  query,
  variables,
  extensions: { operationId },
});

async function reserve(client: Client): Promise<string> {
  const response = await ask(client, 'PUT', null);
  expect(response.status).toBe(201);
  return response.text();
}

/** Opens a reserved stream as a browser's EventSource does, without custom headers. */
async function openStream(client: Client, token: string) {
  const stop = new AbortController();
  const response = await fetch(`${client.url}/graphql?token=${token}`, {
    headers: { accept: 'text/event-stream' },
    signal: stop.signal,
  });
  const decoder = new TextDecoder();
  let text = '';
  const closed = (async () => {
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) text += decoder.decode(chunk);
    } catch {
      // Either side broke the stream off.
    }
  })();
  const events = () =>
    [...text.matchAll(/event: (\w+)\ndata: (.*)\n\n/g)].map(([, event, data]) => ({
      event,
      ...JSON.parse(data || '{}'),
    }));
  return { response, events, text: () => text, stop: () => stop.abort(), closed };
}

describe.each([true, false])('the client of graphql-sse, single connection: %s', (singleConnection) => {
  test('subscribes, queries and resumes from a cursor', async () => {
    model.streams('To ', '你 ', '🙂');
    const client = sseClient(app.client, singleConnection);
    const [one, other] = [await app.client.ask('Go'), await app.client.ask('Go')];
    const events = async (id: string, after?: string) => {
      const results = client.iterate<any>({ query: follow, variables: { id, after } });
      return (await all(results)).map(({ data, errors }) => data?.runEvents ?? errors);
    };
    const [first, second] = await Promise.all([events(one.id), events(other.id)]);
    for (const events of [first, second]) {
      expect(joined(events)).toBe('To 你 🙂');
      expect(events.at(-1).status).toBe('COMPLETED');
    }
    const middle = Math.floor(first.length / 2);
    expect(joined([...first.slice(0, middle + 1), ...(await events(one.id, first[middle].cursor))])).toBe('To 你 🙂');
    expect(await all(client.iterate({ query: '{ viewer { kind } }' }))).toMatchObject([
      { data: { viewer: { kind: 'API_KEY' } } },
    ]);
    client.dispose();
  });

  test('gets the error of one operation while the others continue', async () => {
    const client = sseClient(app.client, singleConnection);
    const thread = await app.client.createThread();
    const query = `subscription { threadEvents(threadId: "${thread.id}") { __typename } }`;
    const going = client.iterate<any>({ query })[Symbol.asyncIterator]();
    const next = going.next();
    const errorsOf = async (asked: string, variables = {}) =>
      (await all(client.iterate({ query: asked, variables })))[0]?.errors?.[0]?.extensions;
    expect(await errorsOf(follow, { id: 'run_nothing' })).toMatchObject({ code: 'NOT_FOUND' });
    if (singleConnection) {
      expect(await errorsOf('{ nonsense }')).toMatchObject({ code: 'GRAPHQL_VALIDATION_FAILED' });
      expect(await errorsOf('{ viewer {')).toMatchObject({ code: 'GRAPHQL_VALIDATION_FAILED' });
    }
    await app.client.mutate(
      'createMessage',
      { threadId: thread.id, message: { text: 'Hello' } },
      'threadMessage { id }',
    );
    expect((await next).value.data.threadEvents.__typename).toBe('MessageAdded');
    client.dispose();
  });
});

test('a reserved stream accepts operations and keeps their results before it is opened', async () => {
  const token = await reserve(app.client);
  expect((await ask(app.client, 'POST', token, operation('{ viewer { kind } }'))).status).toBe(202);
  const stream = await openStream(app.client, token);
  expect(stream.response.headers.get('content-type')).toMatch(/^text\/event-stream/);
  expect(stream.response.headers.get('x-accel-buffering')).toBe('no');
  await expect.poll(stream.events).toMatchObject([
    { event: 'next', id: '1', payload: { data: { viewer: { kind: 'API_KEY' } } } },
    { event: 'complete', id: '1' },
  ]);
  expect((await ask(app.client, 'GET', token, undefined, { accept: 'text/event-stream' })).status).toBe(409);
  stream.stop();
});

test('one operation can be stopped, and its id used again', async () => {
  const thread = await app.client.createThread();
  const token = await reserve(app.client);
  const stream = await openStream(app.client, token);
  const subscription = `subscription { threadEvents(threadId: "${thread.id}") { __typename } }`;
  const send = (id: string) => ask(app.client, 'POST', token, operation(subscription, id));
  expect((await send('a')).status).toBe(202);
  expect((await send('a')).status).toBe(409);
  expect((await ask(app.client, 'DELETE', `${token}`, undefined)).status).toBe(400);
  const remove = await fetch(`${app.url}/graphql?token=${token}&operationId=a`, { method: 'DELETE' });
  expect(remove.status).toBe(200);
  await expect.poll(() => app.app.services.feeds.count).toBe(0);
  expect((await send('a')).status).toBe(202);
  await expect.poll(() => app.app.services.feeds.count).toBe(1);
  stream.stop();
  await expect.poll(() => app.app.services.feeds.count).toBe(0);
});

test("another actor's stream accepts no operations, and a reservation requires a credential", async () => {
  const [alice, bob] = [await app.client.as('alice'), await app.client.as('bob')];
  const token = await reserve(alice);
  expect((await ask(bob, 'POST', token, operation('{ viewer { userId } }'))).status).toBe(403);
  expect((await ask(app.client, 'POST', token, operation('{ viewer { userId } }'))).status).toBe(403);
  expect((await ask(alice, 'POST', 'made-up', operation('{ viewer { userId } }'))).status).toBe(404);
  expect((await ask(alice, 'POST', '__proto__', operation('{ viewer { userId } }'))).status).toBe(404);
  const anonymous = await fetch(`${app.url}/graphql`, { method: 'PUT' });
  expect(anonymous.status).toBe(401);
  expect((await anonymous.json()).errors[0].extensions).toEqual({ code: 'UNAUTHENTICATED', reason: 'MISSING' });
  const stream = await openStream(alice, token);
  stream.stop();
});

test('the number of open streams per user is limited', async () => {
  const carol = await app.client.as('carol');
  const [first, second] = [await reserve(carol), await reserve(carol), await reserve(carol)];
  const refused = await ask(carol, 'PUT', null);
  expect(refused.status).toBe(429);
  expect((await refused.json()).errors[0].extensions.code).toBe('RATE_LIMITED');
  const stream = await openStream(carol, first);
  stream.stop();
  await expect.poll(async () => (await ask(carol, 'PUT', null)).status).toBe(201);
  expect((await openStream(carol, second)).response.status).toBe(200);
});

test('the number of subscriptions per user is limited over all transports', async () => {
  const dora = await app.client.as('dora');
  const threads = await Promise.all(Array.from({ length: 4 }, () => dora.createThread()));
  const query = (id: string) =>
    `subscription { threadEvents(threadId: "${id}") { __typename ... on MessageAdded { messageId } } }`;
  const sse = new AbortController();
  const following = await dora.stream(query(threads[0]?.id as string), {}, sse.signal);
  const sockets = threads.slice(1, 3).map(({ id }) => dora.subscribe(query(id), {}, 'threadEvents'));
  const first = sockets.map((socket) => socket.next());
  await expect.poll(() => app.app.services.feeds.count).toBe(3);
  const one = await dora.stream(query(threads[3]?.id as string));
  expect(await one.text()).toContain('RATE_LIMITED');
  expect(following.bodyUsed).toBe(false);
  sse.abort();
  await expect.poll(() => app.app.services.feeds.count).toBe(2);
  const again = dora.subscribe(query(threads[3]?.id as string), {}, 'threadEvents');
  const received = again.next();
  await expect.poll(() => app.app.services.feeds.count).toBe(3);
  for (const { id } of threads)
    await dora.mutate('createMessage', { threadId: id, message: { text: '.' } }, 'threadMessage { id }');
  expect((await received).value.__typename).toBe('MessageAdded');
  for (const waiting of first) await waiting;
  for (const socket of [...sockets, again]) await socket.return(undefined);
});

test('revoking a key ends the stream it reserved, after sending its operations the reason, and no other', async () => {
  const thread = await app.client.createThread();
  const subscription = `subscription { threadEvents(threadId: "${thread.id}") { __typename } }`;
  const { id, client } = await app.client.createKey({ scopes: ['THREADS_READ', 'RUNS_READ'] });
  const [token, mine] = [await reserve(client), await reserve(app.client)];
  const [stream, other] = [await openStream(client, token), await openStream(app.client, mine)];
  await ask(client, 'POST', token, operation(subscription));
  await ask(app.client, 'POST', mine, operation(subscription));
  await app.client.mutate('revokeApiKey', { id }, 'apiKey { id }');
  await stream.closed;
  expect(stream.events()[0].payload.errors[0].extensions).toEqual({ code: 'UNAUTHENTICATED', reason: 'REVOKED' });
  await app.client.mutate('createMessage', { threadId: thread.id, message: { text: 'Hello' } }, 'threadMessage { id }');
  await expect.poll(() => other.events()[0]?.payload.data).toEqual({ threadEvents: { __typename: 'MessageAdded' } });
  other.stop();
});

test('a stream buffers unread results up to a limit', async () => {
  const token = await reserve(app.client);
  const send = (id: number) => ask(app.client, 'POST', token, operation('{ viewer { kind } }', String(id)));
  // The first result has already been sent.
  for (let id = 0; id <= 100; id += 1) expect((await send(id)).status).toBe(202);
  const refused = await send(101);
  expect(refused.status).toBe(429);
  expect((await refused.json()).errors[0].extensions.code).toBe('RATE_LIMITED');
  const stream = await openStream(app.client, token);
  await expect.poll(() => stream.events().filter(({ event }) => event === 'complete').length).toBe(101);
  expect((await send(102)).status).toBe(202);
  stream.stop();
});

test('the token of a stream alone does not allow operations on it', async () => {
  const [carl, dave] = [await app.client.as('carl'), await app.client.as('dave')];
  const token = await reserve(carl);
  const get = (headers: object) =>
    fetch(
      `${app.url}/graphql?${new URLSearchParams({ token, query: '{ viewer { kind } }', extensions: '{"operationId":"1"}' })}`,
      { headers: { ...headers, 'graphql-require-preflight': '1', accept: '*/*' } },
    );
  expect((await get({})).status).toBe(401);
  expect((await get({ authorization: `Bearer ${dave.key}` })).status).toBe(403);
  expect((await get({ authorization: `Bearer ${carl.key}` })).status).toBe(202);
  (await openStream(carl, token)).stop();
});

test('a refused reservation does not count against the limit', async () => {
  const emil = await app.client.as('emil');
  for (let time = 0; time < 4; time += 1) {
    expect((await ask(emil, 'PUT', null, undefined, { accept: 'application/json' })).status).toBe(406);
  }
  const token = await reserve(emil);
  (await openStream(emil, token)).stop();
});

test('a client that disconnects leaves nothing behind', async () => {
  const { port } = new URL(app.url);
  const thread = await app.client.createThread();
  const token = await reserve(app.client);
  const socket = connect(Number(port));
  socket.write(`GET /graphql?token=${token} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n`);
  await once(socket, 'data');
  await ask(
    app.client,
    'POST',
    token,
    operation(`subscription { threadEvents(threadId: "${thread.id}") { __typename } }`),
  );
  await expect.poll(() => app.app.services.feeds.count).toBe(1);
  socket.resetAndDestroy();
  await expect.poll(() => app.app.services.feeds.count).toBe(0);
  expect((await ask(app.client, 'POST', token, operation('{ viewer { kind } }'))).status).toBe(404);
});

test('a page of another origin can use it', async () => {
  const preflight = await fetch(`${app.url}/graphql`, {
    method: 'OPTIONS',
    headers: { origin: 'https://app.example', 'access-control-request-method': 'PUT' },
  });
  expect(preflight.headers.get('access-control-allow-methods')).toContain('PUT');
  expect(preflight.headers.get('access-control-allow-headers')).toContain('x-graphql-event-stream-token');
});

test('responses disable buffering in proxies', async () => {
  const run = await app.client.ask('Go');
  const response = await app.client.stream(follow, { id: run.id });
  expect(response.headers.get('x-accel-buffering')).toBe('no');
  expect(response.headers.get('cache-control')).toContain('no-cache');
  await response.body?.cancel();
  await until(app.client.follow(run.id), ({ status }) => status === 'COMPLETED');
});

test('comments keep an idle stream alive', async () => {
  const thread = await app.client.createThread();
  const stop = new AbortController();
  const query = `subscription { threadEvents(threadId: "${thread.id}") { __typename } }`;
  const response = await app.client.stream(query, {}, stop.signal);
  let text = '';
  for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += new TextDecoder().decode(bytes);
    if (text.split(':\n\n').length > 3) break;
  }
  expect(text).toMatch(/^(:\n\n)+$/);
  stop.abort();
});
