import { expect, test } from 'vitest';
import { runLimits } from '../../src/domain/limits.ts';
import { all, joined, shape, until } from '../support/client.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });

/** Lets the model answer with one word, and with the rest on `release`. */
function heldAnswer() {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let closed: Promise<void> = Promise.resolve();
  model.answers(
    async (respond) => {
      closed = respond.closed;
      await respond.text('First ');
      await released;
      await respond.text('answer');
      await respond.end();
    },
    async (respond) => {
      await respond.text('Second answer');
      await respond.end();
    },
  );
  return { release, closed: () => closed };
}

const isDelta = ({ __typename }: { __typename: string }) => __typename === 'MessageDelta';

test('a second run waits for the first, and its prompt contains the first answer in order', async () => {
  const { release } = heldAnswer();
  const first = await app.client.ask('One');
  await until(app.client.follow(first.id), isDelta);
  const second = await app.client.run({ threadId: first.thread.id, messages: [{ text: 'Two' }] });
  expect((await app.client.data('query($id: ID!) { run(id: $id) { status } }', { id: second.id })).run.status).toBe(
    'QUEUED',
  );
  release();
  expect(await app.client.finished(second.id)).toMatchObject({ status: 'COMPLETED' });
  expect(model.requests[1]?.messages.map(({ role, content }) => [role, content])).toEqual([
    ['user', 'One'],
    ['assistant', 'First answer'],
    ['user', 'Two'],
  ]);
});

test('REJECT refuses a run while another is active', async () => {
  const { release } = heldAnswer();
  const first = await app.client.ask('One');
  await until(app.client.follow(first.id), isDelta);
  const refused = await app.client.mutate(
    'createRun',
    { threadId: first.thread.id, messages: [{ text: 'Two' }], whenBusy: 'REJECT' },
    'run { id }',
  );
  expect(refused).toMatchObject({ __typename: 'ThreadBusyError', code: 'THREAD_BUSY' });
  const { thread } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { activeRun { id } messages { totalCount } } }',
    { id: first.thread.id },
  );
  expect(thread).toEqual({ activeRun: { id: first.id }, messages: { totalCount: 2 } });
  release();
  expect(await app.client.finished(first.id)).toMatchObject({ status: 'COMPLETED' });
});

test('cancelling a run keeps its text, closes the model connection and starts the next run', async () => {
  const { closed } = heldAnswer();
  const run = await app.client.ask('One');
  await until(app.client.follow(run.id), isDelta);
  const next = await app.client.run({ threadId: run.thread.id, messages: [{ text: 'Two' }] });
  const cancelled = await app.client.mutate('cancelRun', { id: run.id }, 'run { status }');
  expect(['CANCELLING', 'CANCELLED']).toContain(cancelled.run.status);
  await closed();
  const events = await all(app.client.follow(run.id));
  expect(shape(events).slice(-5)).toEqual(['MessageDelta', 'CANCELLING', 'MessageEnded', 'StepEnded', 'CANCELLED']);
  expect(joined(events)).toBe('First ');
  expect(
    await app.client.finished(run.id, 'messages { nodes { text incompleteReason } } steps { nodes { status } }'),
  ).toMatchObject({
    messages: { nodes: [{ text: 'First ', incompleteReason: 'RUN_CANCELLED' }] },
    steps: { nodes: [{ status: 'CANCELLED' }] },
  });
  expect(await app.client.finished(next.id)).toMatchObject({ status: 'COMPLETED' });
  expect(await app.client.mutate('cancelRun', { id: run.id }, 'run { status }')).toMatchObject({
    __typename: 'ConflictError',
  });
});

test('CANCEL_ACTIVE replaces the active and queued runs', async () => {
  heldAnswer();
  const first = await app.client.ask('One');
  await until(app.client.follow(first.id), isDelta);
  const waiting = await app.client.run({ threadId: first.thread.id });
  const instead = await app.client.run({
    threadId: first.thread.id,
    messages: [{ text: 'Two' }],
    whenBusy: 'CANCEL_ACTIVE',
  });
  expect(await app.client.finished(instead.id)).toMatchObject({ status: 'COMPLETED' });
  expect(await app.client.finished(first.id)).toMatchObject({ status: 'CANCELLED' });
  expect(await app.client.finished(waiting.id)).toMatchObject({ status: 'CANCELLED' });
});

test('a repeated idempotency key returns the first run, also for simultaneous requests', async () => {
  model.streams('Once');
  const thread = await app.client.createThread();
  const input = { threadId: thread.id, messages: [{ text: 'Only once' }], idempotencyKey: 'order-66' };
  const runs = await Promise.all(Array.from({ length: 5 }, () => app.client.run(input)));
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
  await app.client.finished(runs[0]?.id ?? '');
  const { thread: now } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { messages { totalCount } runs { totalCount } } }',
    { id: thread.id },
  );
  expect(now).toEqual({ messages: { totalCount: 2 }, runs: { totalCount: 1 } });
});

test('concurrent writers get each position exactly once', async () => {
  const thread = await app.client.createThread();
  await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      app.client.mutate(
        'createMessage',
        { threadId: thread.id, message: { text: `m${index}` } },
        'threadMessage { id }',
      ),
    ),
  );
  const { thread: now } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { messages(first: 100, orderBy: { direction: ASC }) { nodes { position } } } }',
    { id: thread.id },
  );
  expect(now.messages.nodes.map(({ position }: { position: number }) => position)).toEqual(
    Array.from({ length: 30 }, (_, index) => index + 1),
  );
});

test('a message is followed by its answer, not by messages that were started later', async () => {
  const order = 'messages(orderBy: { direction: ASC }) { nodes { id text } }';
  const texts = async (id: string) => {
    const { thread } = await app.client.data(`query($id: ID!) { thread(id: $id) { ${order} } }`, { id });
    return thread.messages.nodes as Array<{ id: string; text: string }>;
  };
  // The model answers the first message only after the second was added.
  const second = Promise.withResolvers<void>();
  model.answers(
    async (respond) => {
      await second.promise;
      await respond.text('A1');
      await respond.end();
    },
    async (respond) => {
      await respond.text('A2');
      await respond.end();
    },
  );
  const first = await app.client.ask('Q1');
  const { id: threadId } = first.thread;
  const next = await app.client.run({ threadId, messages: [{ text: 'Q2' }] });
  second.resolve();
  await app.client.finished(next.id);
  expect((await texts(threadId)).map(({ text }) => text)).toEqual(['Q1', 'Q2', 'A1', 'A2']);

  const answer = (await texts(threadId)).find(({ text }) => text === 'A1');
  const fork = await app.client.mutate('forkThread', { throughMessageId: answer?.id }, 'thread { id }');
  expect((await texts(fork.thread.id)).map(({ text }) => text)).toEqual(['Q1', 'A1']);

  model.streams('A2 again');
  const again = await app.client.mutate('regenerate', { threadId }, 'run { id }');
  await app.client.finished(again.run.id);
  expect((await texts(threadId)).map(({ text }) => text)).toEqual(['Q1', 'Q2', 'A1', 'A2 again']);
  expect(model.requests.at(-1)?.messages.map(({ content }) => content)).toEqual(['Q1', 'A1', 'Q2']);

  await app.client.mutate('editMessage', { id: answer?.id, text: 'A1, edited' }, 'threadMessage { id }');
  expect((await texts(threadId)).map(({ text }) => text)).toEqual(['Q1', 'A1, edited']);
});

test('deleting a thread cancels its run and ends its subscriptions', async () => {
  const { closed } = heldAnswer();
  const run = await app.client.ask('One');
  const following = until(app.client.follow(run.id), () => false);
  following.catch(() => {});
  await until(app.client.follow(run.id), isDelta);
  expect(await app.client.mutate('deleteThread', { id: run.thread.id }, 'deletedId')).toMatchObject({
    deletedId: run.thread.id,
  });
  await closed();
  const ended = await following.catch((error) => error);
  expect(ended.errors?.[0]?.extensions.code ?? ended.at(-1).status).toMatch(/NOT_FOUND|CANCELLED/);
  const { node } = await app.client.data('query($id: ID!) { node(id: $id) { id } }', { id: run.id });
  expect(node).toBeNull();
});

test('a run parked longer than its workspace allows ends EXPIRED', async () => {
  model.answers(async (respond) => {
    await respond.delta({
      role: 'assistant',
      tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
    });
    await respond.end('tool_calls');
  });
  const run = await app.client.ask('Call', { tools: [{ function: { name: 'f' } }] });
  expect(await app.client.finished(run.id)).toMatchObject({ status: 'REQUIRES_ACTION' });
  await app.app.services.database.run.update({
    where: {
      workspaceId_id: await app.app.services.database.run
        .findFirstOrThrow({ where: { id: run.id } })
        .then(({ workspaceId, id }) => ({ workspaceId, id })),
    },
    data: { expiresAt: new Date(0) },
  });
  const events = await all(app.client.follow(run.id));
  expect(shape(events).slice(-2)).toEqual(['StepEnded', 'EXPIRED']);
});

test('many runs of one thread each end once, although some are cancelled twice at once', async () => {
  model.streams('好的 🌙');
  const { id: threadId } = await app.client.createThread();
  const runs = await Promise.all(
    Array.from({ length: 15 }, (_, index) => app.client.run({ threadId, messages: [{ text: `第${index} 🌙` }] })),
  );
  const cancel = ({ id }: { id: string }) => app.client.mutate('cancelRun', { id }, 'run { id }');
  const unwanted = runs.filter((_, index) => index % 3 === 0);
  await Promise.all([...unwanted, ...unwanted].map(cancel));
  for (const { id } of runs) {
    const events = await all(app.client.follow(id));
    expect(events.filter(({ status }) => ['COMPLETED', 'CANCELLED'].includes(status))).toHaveLength(1);
    expect(events.at(-1).status).toMatch(/^(COMPLETED|CANCELLED)$/);
  }
});

test('a thread with as many unfinished runs as it can have refuses one more with QuotaExceededError', async () => {
  const { release } = heldAnswer();
  const { id, thread } = await app.client.ask('One');
  const add = (whenBusy: string) =>
    app.client.mutate('createRun', { threadId: thread.id, messages: [{ text: 'Next' }], whenBusy }, '__typename');
  for (let count = 1; count < runLimits.unfinishedPerThread; count += 1) {
    expect(await add('ENQUEUE')).toMatchObject({ __typename: 'CreateRunPayload' });
  }
  expect(await add('ENQUEUE')).toMatchObject({ __typename: 'QuotaExceededError' });
  expect(await add('CANCEL_ACTIVE')).toMatchObject({ __typename: 'CreateRunPayload' });
  release();
  expect(await app.client.finished(id)).toMatchObject({ status: 'CANCELLED' });
});
