import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type AnyEvent, all, joined } from '../support/client.ts';

let app: TestApp;
let run: { id: string; thread: { id: string } };
let events: AnyEvent[];
let foreign: string;
const words = '很多 words 🙂 '.repeat(30).trim();

beforeAll(async () => {
  app = await startTestApp({ DEMO_DELAY_MS: '1' });
  run = await app.client.ask(`say ${words}`);
  events = await all(app.client.follow(run.id));
  const other = await app.client.ask('say nothing');
  foreign = (await all(app.client.follow(other.id))).at(-2).cursor;
});
afterAll(() => app.stop());

const byRun = 'subscription($id: ID!, $after: String) { runEvents(runId: $id, after: $after) { __typename } }';
const byThread = 'subscription($id: ID!, $after: String) { threadEvents(threadId: $id, after: $after) { __typename } }';

/** The code with which a subscription is refused, over both transports, before anything is told. */
async function refusals(query: string, id: string, after: string): Promise<unknown[]> {
  const socket = app.client.socket();
  const overSocket = await all(socket.iterate({ query, variables: { id, after } })).then(
    (results) => (results[0] as AnyEvent)?.errors?.[0].extensions.code,
    (errors) => errors[0].extensions.code,
  );
  await socket.dispose();
  const text = await (await app.client.stream(query, { id, after })).text();
  const [, overSse] = /"code":"(\w+)"/.exec(text) ?? [];
  return [overSocket, text.includes('__typename') ? 'told' : overSse];
}

const tag = () => (events[0].cursor as string).slice(0, 4);
const hostile: Array<[what: string, cursor: () => string]> = [
  ['nothing', () => ''],
  ['no cursor', () => '💥'],
  ['one of another run in another thread', () => foreign],
  ['an event that has not happened', () => `${tag()}1.zzzz`],
  ['a number beyond all numbers', () => `${tag()}1.zzzzzz`],
  ['an offset beyond all numbers', () => `${tag()}1.5.zzzzzz`],
  ['a run that is not there', () => `${tag()}77.5`],
  ['something added', () => `${events.at(-1).cursor} OR 1=1`],
  ['more than anybody reads', () => `${tag()}1.5${'.1'.repeat(100_000)}x`],
  ['capitals', () => (events.at(-1).cursor as string).toUpperCase().replace(/^(.)/, 'A')],
];

describe.each(hostile)('a cursor that is %s', (what, cursor) => {
  test('is refused as bad input, by a run and by a thread', async () => {
    expect(await refusals(byRun, run.id, cursor()), what).toEqual(['BAD_USER_INPUT', 'BAD_USER_INPUT']);
    expect(await refusals(byThread, run.thread.id, cursor()), what).toEqual(['BAD_USER_INPUT', 'BAD_USER_INPUT']);
  });
});

test('a run that has ended is told again with its text in one delta', async () => {
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

test('a cursor of a run is good for its thread, and the other way round', async () => {
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

test('a cursor of a thread that is deleted is of nothing any more', async () => {
  const gone = await app.client.ask('say goodbye');
  const told = await all(app.client.follow(gone.id));
  await app.client.mutate('deleteThread', { id: gone.thread.id }, 'deletedId');
  expect(await refusals(byRun, gone.id, told[3].cursor)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
  expect(await refusals(byThread, gone.thread.id, told[3].cursor)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
});
