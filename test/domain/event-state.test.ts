import { expect, test } from 'vitest';
import { type AnyEvent, all, type Client, until } from '../support/client.ts';
import { answerCalls, stepwise, stepwiseTools } from '../support/stepwise.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });

const message = 'message { id status text incompleteReason completedAt content { ... on TextContent { text } } }';
const call = 'id index status ... on FunctionToolCall { arguments output }';
const step = `step { id status endedAt usage { totalTokens } reasoning message { id text } toolCalls { ${call} } }`;
const query = `subscription($id: ID!, $after: String) { runEvents(runId: $id, after: $after) {
  __typename
  ... on Event { cursor }
  ... on RunStatusChanged { status }
  ... on ReasoningDelta { stepId text }
  ... on StepStarted { stepId ${step} }
  ... on StepDelta { stepId toolCall { id arguments output } ${step} }
  ... on StepEnded { stepId ${step} }
  ... on MessageStarted { messageId ${message} }
  ... on MessageDelta { messageId text ${message} }
  ... on MessageEnded { messageId ${message} }
} }`;
const follow = (client: Client, id: string, after?: string) => client.subscribe(query, { id, after }, 'runEvents');

/** The texts that a client has from the deltas that it has received. */
class Received {
  readonly #texts = new Map<string, string>();
  readonly #calls = new Map<string, string[]>();

  text = (id: string, channel = '') => this.#texts.get(`${id}${channel}`) ?? '';
  callsOf = (stepId: string) => this.#calls.get(stepId) ?? [];

  add({ __typename, messageId, stepId, text, toolCall }: AnyEvent): void {
    if (__typename === 'MessageDelta') this.#append(messageId, text);
    if (__typename === 'ReasoningDelta') this.#append(stepId, text);
    if (__typename !== 'StepDelta') return;
    this.#calls.set(stepId, [...new Set([...this.callsOf(stepId), toolCall.id])]);
    this.#append(`${toolCall.id} arguments`, toolCall.arguments ?? '');
    this.#append(`${toolCall.id} output`, toolCall.output ?? '');
  }

  #append(key: string, text: string): void {
    this.#texts.set(key, this.text(key) + text);
  }
}

/** Expects each event to show what the deltas up to it make. `before`: the events that the client had before. */
function expectExact(events: AnyEvent[], before: AnyEvent[] = []): void {
  const received = new Received();
  for (const event of before) received.add(event);
  for (const event of events) {
    received.add(event);
    const { __typename } = event;
    if (__typename === 'MessageStarted' || __typename === 'MessageDelta') {
      const text = received.text(event.messageId);
      const unfinished = { status: 'IN_PROGRESS', incompleteReason: null, completedAt: null };
      expect(event.message).toEqual({ id: event.messageId, ...unfinished, text, content: [{ text }] });
    }
    if (__typename === 'MessageEnded') expect(event.message.text).toBe(received.text(event.messageId));
    if (__typename === 'StepStarted' || __typename === 'StepDelta') {
      const toolCalls = received.callsOf(event.stepId).map((id, index) => ({
        ...{ id, index, status: 'IN_PROGRESS' },
        arguments: received.text(id, ' arguments'),
        output: received.text(id, ' output') || null,
      }));
      const unfinished = { status: 'IN_PROGRESS', endedAt: null, usage: null, message: null };
      const reasoning = received.text(event.stepId) || null;
      expect(event.step).toEqual({ id: event.stepId, ...unfinished, reasoning, toolCalls });
    }
  }
}

/** Follows a run of the stepwise model, one delta after the other. */
async function followLive(): Promise<{ id: string; threadId: string; events: AnyEvent[] }> {
  const control = stepwise(model);
  const { id, thread } = await app.client.ask('Go on', { tools: stepwiseTools });
  const events: AnyEvent[] = [];
  for await (const event of follow(app.client, id)) {
    events.push(event);
    if (event.status === 'REQUIRES_ACTION') void answerCalls(app.client, id);
    if (event.__typename.endsWith('Delta')) control.next();
  }
  return { id, threadId: thread.id, events };
}

test('messages and steps of events are as of their cursor: live, late, and resumed at any event', async () => {
  const { id, events } = await followLive();
  const deltas = events.filter(({ __typename }) => __typename.endsWith('Delta'));
  expect(deltas.length).toBeGreaterThan(12);
  expectExact(events);
  expectExact(await all(follow(app.client, id)));
  for (const [index, { cursor }] of events.entries()) {
    const seen = events.slice(0, index + 1);
    expectExact(await all(follow(app.client, id, cursor)), seen);
  }
});

test('the step that has ended has its reasoning, its calls and their outputs', async () => {
  const { events } = await followLive();
  const [ended] = events.filter(({ __typename, step }) => __typename === 'StepEnded' && step.toolCalls.length > 0);
  expect(ended.step).toMatchObject({
    status: 'COMPLETED',
    toolCalls: [
      { arguments: '{"a":1}', output: 'output of one' },
      { arguments: '{"b":2}', output: 'output of two' },
    ],
  });
});

test('a thread that an event shows can be followed from its cursor', async () => {
  const withThread = `subscription($id: ID!) { runEvents(runId: $id) { __typename
    ... on MessageDelta { messageId text message { id text thread { eventCursor } } } } }`;
  const control = stepwise(model);
  const { id, thread } = await app.client.ask('Go on', { tools: stepwiseTools });
  const isDelta = ({ __typename }: AnyEvent) => __typename === 'MessageDelta';
  const resumed: Array<Promise<string>> = [];
  let before = '';
  for await (const event of app.client.subscribe(withThread, { id }, 'runEvents')) {
    if (isDelta(event) && before === '') {
      before = event.message.text;
      const rest = until(
        app.client.followThread(thread.id, event.message.thread.eventCursor),
        (next) => next.__typename === 'MessageEnded',
      );
      resumed.push(
        rest.then(
          (events) =>
            before +
            events
              .filter(isDelta)
              .map(({ text }) => text)
              .join(''),
        ),
      );
    }
    if (event.__typename.endsWith('Delta')) control.next();
    if (event.__typename === 'MessageEnded') break;
  }
  expect(await resumed[0]).toBe('Wait, 请稍等 ⏳');
});

test('updateThread sends ThreadChanged, of which a subscriber that resumes gets the latest', async () => {
  const thread = await app.client.createThread({ title: 'Old' });
  const { thread: before } = await app.client.data('query($id: ID!) { thread(id: $id) { eventCursor } }', thread);
  const changes = `subscription($id: ID!, $after: String) { threadEvents(threadId: $id, after: $after) { __typename
    ... on Event { runId threadId } ... on ThreadChanged { thread { title metadata archivedAt eventCursor } } } }`;
  const following = (after: string) => app.client.subscribe(changes, { id: thread.id, after }, 'threadEvents');
  const live = until(following(before.eventCursor), ({ thread }) => thread?.title === 'New');
  const update = async (input: object) => {
    const { thread: after } = await app.client.mutate(
      'updateThread',
      { id: thread.id, ...input },
      'thread { title eventCursor }',
    );
    return after;
  };
  await update({ metadata: { a: '1' } });
  await update({ archived: true });
  const { eventCursor } = await update({ title: 'New' });
  const latest = (await live).at(-1);
  expect(latest).toMatchObject({ __typename: 'ThreadChanged', runId: null, threadId: thread.id });
  expect(latest.thread).toEqual({ title: 'New', metadata: { a: '1' }, archivedAt: expect.any(String), eventCursor });
  const [first] = await until(following(before.eventCursor), () => true);
  expect(first).toEqual(latest);
});
