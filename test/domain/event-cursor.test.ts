import { beforeAll, describe, expect, test } from 'vitest';
import { type AnyEvent, all, joined } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp({ environment: { DEMO_DELAY_MS: '1' } });
let run: { id: string; thread: { id: string } };
let events: AnyEvent[];
let foreign: string;
const words = '很多 words 🙂 '.repeat(30).trim();

beforeAll(async () => {
  run = await app.client.ask(`say ${words}`);
  events = await all(app.client.follow(run.id));
  const other = await app.client.ask('say nothing');
  foreign = (await all(app.client.follow(other.id))).at(-2).cursor;
});

const byRun = 'subscription($id: ID!, $after: String) { runEvents(runId: $id, after: $after) { __typename } }';
const byThread = 'subscription($id: ID!, $after: String) { threadEvents(threadId: $id, after: $after) { __typename } }';

/** The code that refuses a subscription over each transport, before any event. */
async function refusals(query: string, id: string, after: string): Promise<unknown[]> {
  const socket = app.client.socket();
  const overSocket = await all(socket.iterate({ query, variables: { id, after } })).then(
    (results) => (results[0] as AnyEvent)?.errors?.[0].extensions.code,
    (errors) => errors[0].extensions.code,
  );
  await socket.dispose();
  const text = await (await app.client.stream(query, { id, after })).text();
  const [, overSse] = /"code":"(\w+)"/.exec(text) ?? [];
  return [overSocket, text.includes('__typename') ? 'accepted' : overSse];
}

const tag = () => (events[0].cursor as string).slice(0, 4);
const hostile: Array<[what: string, cursor: () => string]> = [
  ['empty', () => ''],
  ['not a cursor', () => '💥'],
  ['from a run of another thread', () => foreign],
  ['ahead of the last event', () => `${tag()}1.zzzz`],
  ['beyond the largest event number', () => `${tag()}1.zzzzzz`],
  ['beyond the largest offset', () => `${tag()}1.5.zzzzzz`],
  ['of a run that does not exist', () => `${tag()}77.5`],
  ['followed by other text', () => `${events.at(-1).cursor} OR 1=1`],
  ['longer than the limit', () => `${tag()}1.5${'.1'.repeat(100_000)}x`],
  ['in capitals', () => (events.at(-1).cursor as string).toUpperCase().replace(/^(.)/, 'A')],
];

describe.each(hostile)('a cursor that is %s', (what, cursor) => {
  test('is refused as bad input by runEvents and threadEvents', async () => {
    expect(await refusals(byRun, run.id, cursor()), what).toEqual(['BAD_USER_INPUT', 'BAD_USER_INPUT']);
    expect(await refusals(byThread, run.thread.id, cursor()), what).toEqual(['BAD_USER_INPUT', 'BAD_USER_INPUT']);
  });
});

test('replaying a finished run delivers its text in one delta', async () => {
  const again = await all(app.client.follow(run.id));
  expect(again.map(({ __typename }) => __typename)).toEqual([
    'RunStatusChanged',
    'RunStatusChanged',
    'StepStarted',
    'MessageStarted',
    'MessageDelta',
    'MessageEnded',
    'StepEnded',
    'RunStatusChanged',
  ]);
  expect(joined(again)).toBe(words);
  expect(again.at(-1).cursor).toBe(events.at(-1).cursor);
});

test("a run's cursor is valid for its thread, and the reverse", async () => {
  const half = events.findIndex(({ __typename }) => __typename === 'MessageDelta');
  const cursor = events[half].cursor;
  const ofThread: AnyEvent[] = [];
  for await (const event of app.client.followThread(run.thread.id, cursor)) {
    ofThread.push(event);
    if (event.status === 'COMPLETED') break;
  }
  const text = joined(events.slice(0, half + 1)) + joined(ofThread);
  expect(text).toBe(words);
  const rest = await all(app.client.follow(run.id, ofThread[0].cursor));
  expect(rest.at(-1).status).toBe('COMPLETED');
});

test('a cursor of a deleted thread is not found', async () => {
  const gone = await app.client.ask('say goodbye');
  const replay = await all(app.client.follow(gone.id));
  await app.client.mutate('deleteThread', { id: gone.thread.id }, 'deletedId');
  expect(await refusals(byRun, gone.id, replay[3].cursor)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
  expect(await refusals(byThread, gone.thread.id, replay[3].cursor)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
});
