import { expect, test } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { type AnyEvent, all, joined, shape, until } from '../support/client.ts';
import { feedItems } from '../support/feed-items.ts';
import { answerCalls, stepwise, stepwiseTexts, stepwiseTools } from '../support/stepwise.ts';
import { fastTiming } from '../support/timing.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });

test('a subscriber that reconnects over the other transport after each event misses and repeats nothing', async () => {
  const { next } = stepwise(model);
  const run = await app.client.ask('Go', { tools: stepwiseTools });
  const cut: AnyEvent[] = [];
  const isOver = () => cut.at(-1)?.status === 'COMPLETED';
  for (let index = 0; !isOver(); index += 1) {
    const after = cut.at(-1)?.cursor;
    const stream = index % 2 === 0 ? app.client.follow(run.id, after) : app.client.followBySse(run.id, after);
    const { value, done } = await stream.next();
    await stream.return(undefined);
    expect(done).toBeFalsy();
    cut.push(value);
    if (value.__typename.endsWith('Delta')) next();
    if (value.status === 'REQUIRES_ACTION') await answerCalls(app.client, run.id);
  }
  const whole = await all(app.client.follow(run.id));
  expect(feedItems(cut)).toEqual(feedItems(whole));
  expect(feedItems(whole).shape).toEqual([
    'QUEUED',
    'IN_PROGRESS',
    'StepStarted',
    'MessageStarted',
    'MessageEnded',
    'StepEnded',
    'StepStarted',
    'REQUIRES_ACTION',
    'StepEnded',
    'QUEUED',
    'IN_PROGRESS',
    'StepStarted',
    'MessageStarted',
    'MessageEnded',
    'StepEnded',
    'COMPLETED',
  ]);
  expect(new Set(Object.values(feedItems(whole).texts))).toEqual(stepwiseTexts);
  // Each cursor resumes at the next event.
  const rests = await Promise.all(cut.map(({ cursor }) => all(app.client.follow(run.id, cursor))));
  for (const [index, rest] of rests.entries()) {
    expect(feedItems([...cut.slice(0, index + 1), ...rest])).toEqual(feedItems(whole));
  }
}, 60_000);

test("a subscription from a query's cursor misses and repeats nothing", async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  model.answers(async (respond) => {
    await respond.text('So ');
    await respond.text('far ');
    await released;
    await respond.text('and on.');
    await respond.end();
  });
  const run = await app.client.ask('Go');
  await until(app.client.follow(run.id), ({ text = '' }) => text.endsWith('far '));
  const { run: now } = await app.client.data(
    'query($id: ID!) { run(id: $id) { eventCursor messages { nodes { id text status } } thread { eventCursor messages { nodes { text content { ... on TextContent { text } } } } } } }',
    { id: run.id },
  );
  expect(now.messages.nodes).toMatchObject([{ text: 'So far ', status: 'IN_PROGRESS' }]);
  expect(now.thread.messages.nodes[0]).toEqual({ text: 'So far ', content: [{ text: 'So far ' }] });
  const byRun = all(app.client.follow(run.id, now.eventCursor));
  const byThread = until(
    app.client.followThread(run.thread.id, now.thread.eventCursor),
    ({ status }) => status === 'COMPLETED',
  );
  release();
  for (const events of [await byRun, await byThread]) {
    expect(joined(events)).toBe('and on.');
    expect(shape(events)).toEqual(['MessageDelta', 'MessageEnded', 'StepEnded', 'COMPLETED']);
  }
});

test.each([33, 100])(
  'a step of %i parallel calls can be followed live, late and from the middle, and left early',
  async (count) => {
    const tools = Array.from({ length: count }, (_, index) => ({ function: { name: `tool_${index}` } }));
    model.answers(
      async (respond) => {
        for (let index = 0; index < count; index += 1) {
          const call = {
            index,
            id: `call${index}`,
            type: 'function',
            function: { name: `tool_${index}`, arguments: '{"a":' },
          };
          await respond.delta({ tool_calls: [call] });
        }
        for (let index = 0; index < count; index += 1) {
          await respond.delta({ tool_calls: [{ index, function: { arguments: `${index}}` } }] });
        }
        await respond.end('tool_calls');
      },
      async (respond) => {
        await respond.text('Thanks.');
        await respond.end();
      },
    );
    const run = await app.client.ask('Go', { tools });
    const live = all(app.client.follow(run.id));
    const leaver = until(app.client.followBySse(run.id), ({ toolCall }) => toolCall?.index === count - 1);
    await leaver;
    await answerCalls(app.client, run.id);
    const whole = feedItems(await live);
    expect(Object.keys(whole.texts)).toHaveLength(2 * count + 1);
    for (const [id, text] of Object.entries(whole.texts)) {
      if (id.endsWith(' arguments')) expect(text).toMatch(/^\{"a":\d+\}$/);
      if (id.endsWith(' output')) expect(text).toMatch(/^output of tool_\d+$/);
    }
    const late = await all(app.client.follow(run.id));
    expect(feedItems(late)).toEqual(whole);
    const middle = Math.floor(late.length / 2);
    const rest = await all(app.client.follow(run.id, late[middle].cursor));
    expect(feedItems([...late.slice(0, middle + 1), ...rest])).toEqual(whole);
    await expect.poll(() => app.app.services.feeds.count).toBe(0);
  },
);

test('all subscribers of one run receive the same items', async () => {
  model.streams('To ', 'all ', 'of ', 'you');
  const run = await app.client.ask('Go');
  const received = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      all(index % 2 ? app.client.follow(run.id) : app.client.followBySse(run.id)),
    ),
  );
  for (const events of received) {
    expect(joined(events)).toBe('To all of you');
    expect(events.at(-1).status).toBe('COMPLETED');
  }
});

test('a thread subscription delivers all runs and the messages that others add', async () => {
  model.streams('Answer');
  const thread = await app.client.createThread();
  const { thread: now } = await app.client.data('query($id: ID!) { thread(id: $id) { eventCursor } }', {
    id: thread.id,
  });
  await app.client.mutate(
    'createMessage',
    { threadId: thread.id, message: { text: 'Hello all' } },
    'threadMessage { id }',
  );
  const run = await app.client.run({ threadId: thread.id, messages: [{ text: 'And you?' }] });
  const events = await until(
    app.client.followThread(thread.id, now.eventCursor),
    ({ status }) => status === 'COMPLETED',
  );
  expect(shape(events)).toEqual([
    'MessageAdded',
    'MessageAdded',
    'QUEUED',
    'IN_PROGRESS',
    'StepStarted',
    'MessageStarted',
    'MessageDelta',
    'MessageEnded',
    'StepEnded',
    'COMPLETED',
  ]);
  expect(events.filter(({ runId }) => runId).every(({ runId }) => runId === run.id)).toBe(true);
});

test("a subscription from a run's last cursor completes immediately", async () => {
  model.streams('Done');
  const run = await app.client.ask('Go');
  const events = await all(app.client.follow(run.id));
  expect(await all(app.client.follow(run.id, events.at(-1).cursor))).toEqual([]);
});

test('waitForRun ends at its timeout, and when the run ends', async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  model.answers(async (respond) => {
    await respond.text('…');
    await released;
    await respond.end();
  });
  const run = await app.client.ask('Go');
  const wait = (timeoutSeconds: number) =>
    app.client.data(
      'query($id: ID!, $t: Int) { waitForRun(id: $id, timeoutSeconds: $t) { __typename ... on Run { status } ... on WaitTimeoutError { code run { id } } } }',
      { id: run.id, t: timeoutSeconds },
    );
  expect((await wait(1)).waitForRun).toEqual({
    __typename: 'WaitTimeoutError',
    code: 'WAIT_TIMEOUT',
    run: { id: run.id },
  });
  const waiting = wait(20);
  release();
  expect((await waiting).waitForRun).toEqual({ __typename: 'Run', status: 'COMPLETED' });
});

test('a wait issues the same statements however long it takes', async () => {
  // An instance without a worker: the run stays queued.
  await using idle = await startTestApp({ ROLE: 'api' }, { timing: { ...fastTiming, feedPollMs: 200 } });
  const run = await idle.client.ask('Go');
  const wait = (timeoutSeconds: number) =>
    idle.client.data('query($id: ID!, $t: Int) { waitForRun(id: $id, timeoutSeconds: $t) { __typename } }', {
      id: run.id,
      t: timeoutSeconds,
    });
  // The feed polls the log independently of waits; a wait reads the run only at its start and end.
  const readsOfRun = (timeoutSeconds: number) =>
    idle.statements(
      () => wait(timeoutSeconds),
      (sql) => sql.includes('FROM "public"."Run"'),
    );
  const short = await readsOfRun(1);
  expect(short.length).toBeGreaterThan(0);
  expect(await readsOfRun(2)).toEqual(short);
});

test('no feed remains after its subscribers have left', async () => {
  model.answers(async (respond) => {
    await respond.text('…');
  });
  const run = await app.client.ask('Go');
  await Promise.all(
    Array.from({ length: 10 }, async (_, index) =>
      until(index % 2 ? app.client.follow(run.id) : app.client.followBySse(run.id), ({ text }) => text === '…'),
    ),
  );
  await app.client.mutate('cancelRun', { id: run.id }, 'run { id }');
  await app.client.finished(run.id);
  await expect.poll(() => app.app.services.feeds.count).toBe(0);
});
