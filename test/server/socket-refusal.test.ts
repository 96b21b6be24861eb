import { expect, test, vi } from 'vitest';
import { all } from '../support/client.ts';
import { openSocket } from '../support/raw-socket.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model, environment: { MAX_SOCKETS_PER_USER: '1', MAX_STREAMS_PER_USER: '3' } });

const createThread = 'mutation { createThread(input: {}) { __typename } }';

test('a socket above the limit that authenticates with its first operation is closed and executes nothing', async () => {
  const alice = await app.client.as('alice');
  const first = await openSocket(alice);
  const second = await openSocket(alice, { isAnonymous: true });
  const headers = { authorization: `Bearer ${alice.key}` };
  second.send('1', '{ viewer { kind } }', {}, headers);
  second.send('2', createThread);
  expect(await second.closed).toEqual({ code: 1013, reason: 'Too many sockets' });
  expect(second.received.filter(({ type }) => type === 'next')).toEqual([]);
  expect((await alice.data('{ threads { totalCount } }')).threads.totalCount).toBe(0);
  first.socket.terminate();
});

test('an operation sent after the key was revoked is not executed', async () => {
  const { id, client } = await app.client.createKey({ scopes: ['THREADS_READ', 'THREADS_WRITE'] });
  const threads = async () => (await app.client.data('{ threads { totalCount } }')).threads.totalCount;
  const before = await threads();
  const deaf = await openSocket(client);
  const witness = await openSocket(client);
  deaf.send('1', '{ viewer { kind } }');
  await vi.waitUntil(() => deaf.of('1').length > 1, 10_000);
  deaf.socket.pause();
  await app.client.mutate('revokeApiKey', { id }, 'apiKey { id }');
  expect((await witness.closed).code).toBe(4403);
  for (let index = 0; index < 5; index += 1) deaf.send(`late ${index}`, createThread);
  deaf.socket.resume();
  expect((await deaf.closed).code).toBe(4403);
  expect(await threads()).toBe(before);
});

test('deleting a thread ends its subscriptions once and frees their quota', async () => {
  const bob = await app.client.as('bob');
  const socket = await openSocket(bob);
  const query = 'subscription($id: ID!) { threadEvents(threadId: $id) { __typename } }';
  // More rounds than the limit of subscriptions per user.
  for (let time = 0; time < 5; time += 1) {
    const { id } = await bob.createThread();
    socket.send(`ws ${time}`, query, { id });
    const stream = await bob.stream(query, { id });
    const text = stream.text();
    await expect.poll(() => app.app.services.feeds.count).toBe(1);
    await bob.mutate('deleteThread', { id }, 'deletedId');
    expect((await text).match(/NOT_FOUND/g)).toHaveLength(1);
    expect(await text).toContain('event: complete');
    await vi.waitUntil(() => socket.of(`ws ${time}`).length > 0, 10_000);
    const [refusal] = socket.of(`ws ${time}`);
    expect(refusal).toMatchObject({ type: 'error', payload: [{ extensions: { code: 'NOT_FOUND' } }] });
    await expect.poll(() => app.app.services.feeds.count).toBe(0);
  }
  socket.socket.terminate();
});

test('subscribers of one run with different variables get their own selections', async () => {
  model.streams('One');
  const { id: threadId } = await app.client.createThread({
    messages: [1, 2, 3, 4].map((text) => ({ text: `${text}` })),
  });
  const follow = `subscription($id: ID!, $n: Int = 1) { runEvents(runId: $id) {
    ... on RunStatusChanged { status run { thread { messages(first: $n) { nodes { id } } } } } } }`;
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  model.answers(async (respond) => {
    await respond.text('.');
    await released;
    await respond.end();
  });
  const run = await app.client.run({ threadId });
  const lengths = async (variables: object) => {
    const events = await all(app.client.subscribe(follow, { id: run.id, ...variables }, 'runEvents'));
    return events.at(-1).run.thread.messages.nodes.length as number;
  };
  const counted = Promise.all([{}, { n: null }, { n: 2 }, {}, { n: null }, { n: 2 }].map(lengths));
  await expect.poll(() => app.app.services.feeds.count).toBe(1);
  release();
  const [one, all4, two, ...again] = await counted;
  expect([one, two]).toEqual([1, 2]);
  expect(all4).toBeGreaterThan(2);
  expect(again).toEqual([one, all4, two]);
});

test('an oversized query, or oversized variables of a subscription, are refused', async () => {
  const long = await app.client.send(`{ viewer { kind } } #${'x'.repeat(300_000)}`);
  expect(long.errors?.[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
  const socket = await openSocket(app.client);
  socket.send('1', 'subscription($id: ID!) { threadEvents(threadId: $id) { __typename } }', {
    id: 'x'.repeat(100_000),
  });
  await vi.waitUntil(() => socket.of('1').length > 0, 10_000);
  expect(JSON.stringify(socket.of('1')[0])).toContain('BAD_USER_INPUT');
  socket.socket.terminate();
});
