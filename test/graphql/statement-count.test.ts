import { beforeAll, expect, test } from 'vitest';
import { useApp } from '../support/use-app.ts';

const app = useApp();

beforeAll(async () => {
  const many = Array.from({ length: 8 });
  for (const _ of many) {
    const { id: assistantId } = await app.client.createAssistant({ tools: [{ function: { name: 'look_up' } }] });
    const threads = await Promise.all(
      many.slice(0, 2).map(() =>
        app.client.ask('Hello there', {
          assistantId,
          thread: { assistantId, messages: [{ text: 'one' }, { text: 'say two' }] },
        }),
      ),
    );
    for (const run of threads) await app.client.finished(run.id);
    await app.client
      .ask('please look_up', { assistantId, thread: { assistantId, messages: [{ text: 'look_up' }] } })
      .then(({ id }) => app.client.finished(id));
  }
});

/** The statements of an operation for two page sizes of its outer list. */
async function statementsFor(query: (size: number) => string): Promise<{ few: string[]; many: string[] }> {
  await app.client.data(query(1));
  const few = await app.statements(() => app.client.data(query(2)));
  const many = await app.statements(() => app.client.data(query(8)));
  return { few, many };
}

const page = 'totalCount pageInfo { hasNextPage endCursor } nodes';

const lists: Record<string, (size: number) => string> = {
  'Assistant.threads': (size) =>
    `{ assistants(first: ${size}) { nodes { model threads(first: 2) { ${page} { id } } } } }`,
  'Assistant.runs': (size) => `{ assistants(first: ${size}) { nodes { runs(first: 2) { ${page} { id status } } } } }`,
  'Thread.messages': (size) =>
    `{ threads(first: ${size}) { nodes { messages(first: 2) { ${page} { id text content { ... on TextContent { text } } } } } } }`,
  'Thread.runs': (size) =>
    `{ threads(first: ${size}) { nodes { runs(first: 2) { ${page} { id usage { totalTokens } } } } } }`,
  'Thread.lastMessage, activeRun, assistant, usage and eventCursor': (size) =>
    `{ threads(first: ${size}) { nodes { lastMessage { text } activeRun { id requiredAction { toolCalls { name arguments } } } assistant { id model } usage { totalTokens } eventCursor expiresAt } } }`,
  'Run.steps': (size) =>
    `{ runs(first: ${size}) { nodes { steps(first: 2) { ${page} { id message { text } toolCalls { id status } } } } } }`,
  'Run.messages': (size) =>
    `{ runs(first: ${size}) { nodes { eventCursor thread { id } assistant { id } messages(first: 2) { ${page} { id text } } } } }`,
  'one list twice with different arguments': (size) =>
    `{ threads(first: ${size}) { nodes { a: messages(first: 1) { ${page} { id } } b: messages(first: 2, orderBy: { direction: ASC }) { ${page} { id } } } } }`,
  'a query of three levels': (size) =>
    `{ assistants(first: ${size}) { nodes { threads(first: 2) { nodes { messages(first: 2) { nodes { id run { id } } } runs(first: 2) { nodes { steps { nodes { toolCalls { id } } } } } } } } } }`,
};

test.each(Object.keys(lists))('%s takes as many statements for many parents as for few', async (name) => {
  const { few, many } = await statementsFor(lists[name] as (size: number) => string);
  expect(many.length).toBe(few.length);
  expect(many.length).toBeLessThanOrEqual(8);
});

test('the texts of many rows take one statement more than those of few', async () => {
  const { few, many } = await statementsFor(
    (size) =>
      `{ assistants(first: ${size}) { nodes { threads(first: 4) { nodes { messages(first: 2) { nodes { text } } } } } } }`,
  );
  expect(many.length).toBe(few.length + 1);
});

test('the database limits a nested page for each parent', async () => {
  const [statement] = await app.statements(() =>
    app.client.data('{ threads(first: 8) { nodes { messages(first: 2) { nodes { id } } } } }'),
  );
  expect(statement).toMatch(/LATERAL/);
  expect(statement?.match(/LIMIT/g)).toHaveLength(2);
});

test('totalCount runs only on request, and then reads no rows', async () => {
  const counted = await app.statements(() => app.client.data('{ threads { totalCount } }'));
  expect(counted).toHaveLength(1);
  expect(counted[0]).toMatch(/COUNT/i);
  const listed = await app.statements(() => app.client.data('{ threads { nodes { id } } }'));
  expect(listed).toHaveLength(1);
  expect(listed[0]).not.toMatch(/COUNT/i);
});

test('nodes takes as many statements for many ids as for few', async () => {
  const { threads, runs } = await app.client.data(
    '{ threads(first: 8) { nodes { id } } runs(first: 8) { nodes { id } } }',
  );
  const nodes = (size: number) => {
    const ids = [...threads.nodes.slice(0, size), ...runs.nodes.slice(0, size)].map(({ id }) => id);
    return app.statements(() => app.client.data('query($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids }));
  };
  await nodes(1);
  expect((await nodes(8)).length).toBe((await nodes(2)).length);
});
