import { describe, expect, test } from 'vitest';
import { until } from '../support/client.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });
const payload =
  '__typename ... on Error { code message } ... on InvalidInputError { issues { path } } ... on CreateRunPayload { run { id } messages { id text clientId role } thread { messages(orderBy: { direction: ASC }) { nodes { id text } } } }';
const create = async (input: object, client = app.client) =>
  (await client.data(`mutation($input: CreateRunInput!) { createRun(input: $input) { ${payload} } }`, { input }))
    .createRun;
const texts = async (id: string) => {
  const query = 'query($id: ID!) { thread(id: $id) { messages(orderBy: { direction: ASC }) { nodes { id text } } } }';
  return (await app.client.data(query, { id })).thread.messages.nodes;
};

describe('createRun with editMessage', () => {
  test('edits the message, removes those after it and asks again, in one transaction', async () => {
    model.streams('The answer');
    const { id, thread } = await app.client.ask('Helo');
    await app.client.finished(id);
    const [{ id: asked }] = await texts(thread.id);
    const { eventCursor } = (await app.client.data('query($id: ID!) { thread(id: $id) { eventCursor } }', thread))
      .thread;
    const { run, messages } = await create({
      threadId: thread.id,
      editMessage: { id: asked, text: 'Hello' },
      messages: [{ text: 'and quickly' }],
    });
    expect(messages).toMatchObject([{ text: 'and quickly', role: 'USER' }]);
    await app.client.finished(run.id);
    expect((await texts(thread.id)).map(({ text }: { text: string }) => text)).toEqual([
      'Hello',
      'and quickly',
      'The answer',
    ]);
    const sent = model.requests.at(-1)?.messages as Array<{ content: unknown }>;
    expect(JSON.stringify(sent)).toContain('Hello');
    const events = await until(app.client.followThread(thread.id, eventCursor), ({ status }) => status === 'QUEUED');
    expect(events.map(({ __typename }) => __typename)).toEqual([
      'MessageRemoved',
      'MessageRemoved',
      'MessageAdded',
      'MessageAdded',
      'RunStatusChanged',
    ]);
  });

  test('changes nothing when the run is refused', async () => {
    model.streams('The answer');
    const { id, thread } = await app.client.ask('Helo');
    await app.client.finished(id);
    const before = await texts(thread.id);
    const edit = { threadId: thread.id, editMessage: { id: before[0].id, text: 'Hello' } };
    expect(await create({ ...edit, tools: [{ webSearch: {} }] })).toMatchObject({ __typename: 'InvalidInputError' });
    expect(await create({ ...edit, assistantId: 'asst_01h455vb4pex5vsknk084sn02q' })).toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await texts(thread.id)).toEqual(before);
  });

  test('is refused on a busy thread with REJECT, and else cancels the run', async () => {
    model.answers(async (respond) => {
      await respond.text('I begin');
      await new Promise(() => {});
    });
    const { id, thread } = await app.client.ask('Helo');
    await until(app.client.follow(id), ({ __typename }) => __typename === 'MessageDelta');
    const [{ id: asked }] = await texts(thread.id);
    const edit = { threadId: thread.id, editMessage: { id: asked, text: 'Hello' } };
    expect(await create({ ...edit, whenBusy: 'REJECT' })).toMatchObject({ code: 'THREAD_BUSY' });
    expect((await texts(thread.id))[0].text).toBe('Helo');
    model.streams('Now');
    const { run } = await create(edit);
    expect((await app.client.finished(id)).status).toBe('CANCELLED');
    expect((await app.client.finished(run.id)).status).toBe('COMPLETED');
  });

  test('refuses a message of another thread, and one that a stranger may not see', async () => {
    const [mine, other] = [await app.client.ask('one'), await app.client.ask('two')];
    const [{ id }] = await texts(other.thread.id);
    const edit = { threadId: mine.thread.id, editMessage: { id, text: 'stolen' } };
    expect(await create(edit)).toMatchObject({ code: 'NOT_FOUND' });
    const alice = await app.client.asUser('alice', { overrides: ['INSTRUCTIONS'] });
    expect(await create({ ...edit, threadId: other.thread.id }, alice)).toMatchObject({ code: 'NOT_FOUND' });
    expect(await create({ thread: {}, editMessage: { id, text: 'x' } })).toMatchObject({
      __typename: 'InvalidInputError',
    });
  });
});

describe('clientId', () => {
  test('is returned with the message, in the payload and in MessageAdded', async () => {
    const { thread } = await app.client.mutate('createThread', {}, 'thread { id eventCursor }');
    const message = { text: 'hi', clientId: '乐观-1' };
    const added = await app.client.mutate(
      'createMessage',
      { threadId: thread.id, message },
      'threadMessage { clientId }',
    );
    expect(added.threadMessage).toEqual({ clientId: '乐观-1' });
    const events = app.client.subscribe(
      'subscription($id: ID!, $eventCursor: String) { threadEvents(threadId: $id, after: $eventCursor) { ... on MessageAdded { message { clientId } } } }',
      thread,
      'threadEvents',
    );
    expect(await until(events, () => true)).toEqual([{ message: { clientId: '乐观-1' } }]);
    const { run, messages } = await create({ threadId: thread.id, messages: [{ text: 'go', clientId: '乐观-2' }] });
    expect(messages).toMatchObject([{ text: 'go', clientId: '乐观-2' }]);
    await app.client.finished(run.id);
  });

  test('a second message with the same clientId is the first one, also for concurrent requests', async () => {
    const { id: threadId } = await app.client.createThread();
    const send = () =>
      app.client.mutate(
        'createMessage',
        { threadId, message: { text: 'once', clientId: 'one' } },
        'threadMessage { id }',
      );
    const sent = await Promise.all(Array.from({ length: 8 }, send));
    expect(new Set(sent.map(({ threadMessage }) => threadMessage.id)).size).toBe(1);
    expect(await texts(threadId)).toHaveLength(1);
  });

  test('an existing one is refused in a run and twice in one input, and is free in another thread', async () => {
    const message = { text: 'x', clientId: 'same' };
    const { id: threadId } = await app.client.createThread({ messages: [message] });
    const refused = { __typename: 'InvalidInputError', issues: [{ path: ['messages', '0', 'clientId'] }] };
    expect(await create({ threadId, messages: [message] })).toMatchObject(refused);
    const twice = await create({ thread: { messages: [message, message] } });
    expect(twice).toMatchObject({ issues: [{ path: ['messages', '1', 'clientId'] }] });
    expect(await create({ thread: { messages: [message] } })).toMatchObject({ messages: [{ clientId: 'same' }] });
  });
});

test('a repeated createRun with an idempotency key returns the messages of the first one', async () => {
  model.streams('Yes');
  const input = { idempotencyKey: 'k1', thread: { messages: [{ text: 'a' }] }, messages: [{ text: 'b' }] };
  const [first, second] = [await create(input), await create(input)];
  expect([second.run, second.messages]).toEqual([first.run, first.messages]);
  expect(first.messages.map(({ text }: { text: string }) => text)).toEqual(['a', 'b']);
});

test('regenerate takes an assistant, tools, metadata and an idempotency key', async () => {
  model.streams('One');
  const first = await app.client.ask('Question?', { temperature: 0.1 });
  await app.client.finished(first.id);
  const { id: assistantId } = await app.client.createAssistant({ name: 'Other', instructions: 'Be other.' });
  const regenerate = (input: object) =>
    app.client.mutate(
      'regenerate',
      { threadId: first.thread.id, ...input },
      'run { id metadata temperature instructions assistant { id } tools { ... on FunctionTool { name } } }',
    );
  const input = { metadata: { try: '2' }, tools: [{ function: { name: 'look_up' } }], idempotencyKey: 'again' };
  const [one, two] = await Promise.all([regenerate(input), regenerate(input)]);
  expect(one.run).toMatchObject({ metadata: { try: '2' }, temperature: 0.1, tools: [{ name: 'look_up' }] });
  expect(two.run.id).toBe(one.run.id);
  await app.client.finished(one.run.id);
  const other = await regenerate({ assistantId });
  expect(other.run).toMatchObject({
    assistant: { id: assistantId },
    instructions: 'Be other.',
    temperature: null,
    tools: [],
  });
  expect((await app.client.finished(other.run.id)).status).toBe('COMPLETED');
  expect(await texts(first.thread.id)).toHaveLength(2);
});
