import { beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();
let alice: Client;
let threadId: string;
let answers: Array<{ id: string; position: number }>;

beforeAll(async () => {
  alice = await app.client.as('alice');
  ({ id: threadId } = await alice.createThread());
  for (const text of ['one', 'two']) await alice.finished((await alice.run({ threadId, messages: [{ text }] })).id);
  const query =
    'query($id: ID!) { thread(id: $id) { messages(filter: { role: ASSISTANT }, orderBy: { direction: ASC }) { nodes { id position } } } }';
  answers = (await alice.data(query, { id: threadId })).thread.messages.nodes;
});

const unreadOf = async (client: Client) =>
  (await client.data('query($id: ID!) { thread(id: $id) { unreadCount } }', { id: threadId })).thread.unreadCount;
const markRead = (client: Client, input: object = {}) =>
  client.mutate('markThreadRead', { threadId, ...input }, 'thread { unreadCount }');

test('answers are unread until their reader marks them, and a lower position changes nothing', async () => {
  const carol = await app.client.as('carol');
  expect(await unreadOf(alice)).toBe(2);
  expect(await markRead(alice, { position: answers[0]?.position })).toMatchObject({ thread: { unreadCount: 1 } });
  expect(await markRead(alice)).toMatchObject({ thread: { unreadCount: 0 } });
  expect(await markRead(alice, { position: 0 })).toMatchObject({ thread: { unreadCount: 0 } });
  expect(await unreadOf(app.client)).toBe(2);
  expect(await markRead(carol)).toMatchObject({ code: 'NOT_FOUND' });
  const { id } = await alice.run({ threadId, messages: [{ text: 'three' }] });
  await alice.finished(id);
  expect(await unreadOf(alice)).toBe(1);
});

test('a position beyond the last message marks no future answer as read', async () => {
  await markRead(alice, { position: 2_000_000 });
  await alice.finished((await alice.run({ threadId, messages: [{ text: 'four' }] })).id);
  expect(await unreadOf(alice)).toBe(1);
});

test('concurrent readings keep the highest position', async () => {
  const positions = [0, 1, 2, 3, 2, 1, 0];
  await Promise.all([...positions, undefined, ...positions].map((position) => markRead(alice, { position })));
  expect(await unreadOf(alice)).toBe(0);
});

test('at most 100 unread answers are counted, with one statement for all threads', async () => {
  const messages = Array.from({ length: 60 }, () => ({ role: 'ASSISTANT', text: 'x' }));
  const { id } = await alice.createThread({ messages });
  for (const message of messages) await alice.mutate('createMessage', { threadId: id, message }, '__typename');
  const query = '{ threads { nodes { id unreadCount pinnedAt } } }';
  const { threads } = await alice.data(query);
  expect(threads.nodes.find((thread: { id: string }) => thread.id === id).unreadCount).toBe(100);
  expect(await app.statements(() => alice.data(query))).toHaveLength(2);
});

test('a pin belongs to its viewer, and pinned threads are listed', async () => {
  const pin = (client: Client, pinned: boolean) =>
    client.mutate('pinThread', { threadId, pinned }, 'thread { pinnedAt }');
  const listed = async (client: Client, pinned: boolean) => {
    const query = 'query($pinned: Boolean) { threads(filter: { pinned: $pinned }) { nodes { id } } }';
    const { threads } = await client.data(query, { pinned });
    return threads.nodes.map(({ id }: { id: string }) => id).includes(threadId);
  };
  const { thread } = await pin(alice, true);
  expect(Date.parse(thread.pinnedAt)).toBeGreaterThan(Date.now() - 60_000);
  expect((await pin(alice, true)).thread.pinnedAt).toBe(thread.pinnedAt);
  expect([await listed(alice, true), await listed(alice, false)]).toEqual([true, false]);
  expect([await listed(app.client, true), await listed(app.client, false)]).toEqual([false, true]);
  expect(await pin(alice, false)).toMatchObject({ thread: { pinnedAt: null } });
  expect(await listed(alice, true)).toBe(false);
  expect(await pin(await app.client.as('carol'), true)).toMatchObject({ code: 'NOT_FOUND' });
});

describe('feedback', () => {
  const give = (client: Client, input: object) =>
    client.mutate(
      'setMessageFeedback',
      { messageId: answers[0]?.id, ...input },
      'threadMessage { feedback { rating comment userId createdAt } }',
    );

  test('is set, replaced, found and removed', async () => {
    const first = await give(alice, { rating: 'DOWN', comment: '不对 🙂' });
    expect(first.threadMessage.feedback).toEqual({
      rating: 'DOWN',
      comment: '不对 🙂',
      userId: 'alice',
      createdAt: expect.any(String),
    });
    const query = 'query($id: ID!) { thread(id: $id) { messages(filter: { feedback: DOWN }) { nodes { id } } } }';
    expect((await alice.data(query, { id: threadId })).thread.messages.nodes).toEqual([{ id: answers[0]?.id }]);
    const second = await give(app.client, { rating: 'UP' });
    expect(second.threadMessage.feedback).toMatchObject({ rating: 'UP', comment: null, userId: null });
    expect((await give(alice, { rating: null })).threadMessage.feedback).toBeNull();
  });

  test('is refused on a question, by a stranger, and as a comment without a rating', async () => {
    const query = 'query($id: ID!) { thread(id: $id) { messages(filter: { role: USER }, first: 1) { nodes { id } } } }';
    const [question] = (await alice.data(query, { id: threadId })).thread.messages.nodes;
    expect(await give(alice, { messageId: question.id, rating: 'UP' })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await give(await app.client.as('carol'), { rating: 'UP' })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await give(alice, { comment: 'why' })).toMatchObject({ issues: [{ path: ['comment'] }] });
  });
});
