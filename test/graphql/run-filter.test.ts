import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const catalog = join(mkdtempSync(join(tmpdir(), 'catalog-')), 'models.json');
writeFileSync(
  catalog,
  JSON.stringify({ 'openai/priced': { inputPricePerMillion: '0.4', outputPricePerMillion: '1.2' } }),
);
const app = useApp({ model, environment: { MODEL_CATALOG: catalog } });
const names = new Map<string, string>();

/** Runs of different owners, outcomes, durations and costs: quick, long, failed, waiting and child's. */
beforeAll(async () => {
  const start = async (name: string, input: object, owner?: string) => {
    const thread = { messages: [{ text: name }], ...(owner ? { owner } : {}) };
    const run = await app.client.run({ thread, metadata: { name }, ...input });
    names.set(run.id, name);
    await app.client.finished(run.id);
    return run;
  };
  model.streams('Hi');
  await start('quick', {});
  await start('child', { maxSteps: 3 }, 'alice');
  model.answers(async (respond) => {
    await respond.text('Once upon a time, there was a long story. '.repeat(20));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await respond.end('stop', { prompt_tokens: 70, completion_tokens: 1, total_tokens: 71 });
  });
  await start('long', { model: 'priced' });
  model.answers(async (respond) => respond.fail(401, 'no key'));
  await start('failed', {});
  model.answers(async (respond) => {
    await respond.delta({
      tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'look_up', arguments: '{}' } }],
    });
    await respond.end('tool_calls');
  });
  await start('waiting', { tools: [{ function: { name: 'look_up' } }] });
});

/** The names of the runs of a list, in its order. */
async function listed(args: object, client = app.client): Promise<string[]> {
  const query =
    'query($filter: RunFilter, $orderBy: RunOrder) { runs(filter: $filter, orderBy: $orderBy) { nodes { id } } }';
  const { runs } = await client.data(query, args);
  return runs.nodes.map(({ id }: { id: string }) => names.get(id));
}

test.each([
  ['the model', { model: 'openai/priced' }, ['long']],
  ['a model without runs', { model: 'openai/other' }, []],
  ['the owner', { owner: 'alice' }, ['child']],
  ['the error code', { errorCode: 'provider_unauthorized' }, ['failed']],
  ['the kind of a tool', { toolKind: 'FUNCTION' }, ['waiting']],
  ['the kind of a tool that nobody called', { toolKind: 'PLUGIN' }, []],
  ['the metadata', { metadata: { name: 'quick' } }, ['quick']],
  ['several conditions', { metadata: { name: 'quick' }, owner: 'alice' }, []],
])('runs are selected by %s', async (_name, filter, expected) => {
  expect(await listed({ filter })).toEqual(expected);
});

test('runs are selected by their cost and duration, and ordered by cost, tokens and duration in both directions', async () => {
  const query = '{ runs(first: 100) { nodes { id cost usage { totalTokens } startedAt endedAt } } }';
  const { runs } = await app.client.data(query);
  type Row = {
    id: string;
    cost: string | null;
    usage: { totalTokens: number } | null;
    startedAt: string;
    endedAt: string;
  };
  const rows = runs.nodes as Row[];
  const amounts: Record<string, (row: Row) => number> = {
    COST: ({ cost }) => Number(cost ?? 0),
    TOTAL_TOKENS: ({ usage }) => usage?.totalTokens ?? 0,
    DURATION: ({ startedAt, endedAt }) => (endedAt ? Date.parse(endedAt) - Date.parse(startedAt) : 0),
  };
  for (const [field, amountOf] of Object.entries(amounts)) {
    expect(new Set(rows.map(amountOf)).size, field).toBeGreaterThan(1);
    const sorted = (direction: 1 | -1) =>
      rows
        .toSorted((a, b) => direction * (amountOf(a) - amountOf(b) || (a.id < b.id ? -1 : 1)))
        .map(({ id }) => names.get(id));
    expect(await listed({ orderBy: { field, direction: 'ASC' } })).toEqual(sorted(1));
    expect(await listed({ orderBy: { field } })).toEqual(sorted(-1));
  }
  const longest = Math.max(...rows.map(amounts.DURATION as (row: Row) => number));
  const [longestRun] = await listed({ orderBy: { field: 'DURATION' } });
  expect(await listed({ filter: { longerThanMs: longest - 1 } })).toContain(longestRun);
  expect(await listed({ filter: { longerThanMs: longest } })).toEqual([]);
  const dearest = Math.max(...rows.map(({ cost }) => Number(cost ?? 0)));
  expect(await listed({ filter: { costAbove: dearest.toFixed(10) } })).toEqual([]);
  expect(await listed({ filter: { costAbove: '0' } })).toContain('long');
});

test('the pages of an order have every run once, also among runs with equal values', async () => {
  for (const field of ['COST', 'TOTAL_TOKENS', 'DURATION']) {
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const page: any = await app.client.data(
        'query($orderBy: RunOrder, $after: String) { runs(first: 1, orderBy: $orderBy, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }',
        { orderBy: { field }, after },
      );
      seen.push(...page.runs.nodes.map(({ id }: { id: string }) => names.get(id)));
      after = page.runs.pageInfo.hasNextPage ? page.runs.pageInfo.endCursor : null;
    } while (after);
    expect(seen.toSorted()).toEqual([...names.values()].toSorted());
  }
});

test('an error code longer than the limit, and a negative duration, are refused as bad input', async () => {
  for (const filter of [{ errorCode: 'x'.repeat(101) }, { longerThanMs: -1 }]) {
    const { errors } = await app.client.send('query($filter: RunFilter) { runs(filter: $filter) { totalCount } }', {
      filter,
    });
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
  }
});

test('threads are selected by their time of creation and by whether a run is active', async () => {
  const query = 'query($filter: ThreadFilter) { threads(filter: $filter) { nodes { activeRun { id } createdAt } } }';
  const active = (await app.client.data(query, { filter: { hasActiveRun: true } })).threads.nodes;
  expect(active.map(({ activeRun }: { activeRun: { id: string } }) => names.get(activeRun.id))).toEqual(['waiting']);
  const idle = (await app.client.data(query, { filter: { hasActiveRun: false } })).threads.nodes;
  expect(idle).toHaveLength(names.size - 1);
  const [{ createdAt }] = active;
  const before = (await app.client.data(query, { filter: { createdBefore: createdAt } })).threads.nodes;
  const after = (await app.client.data(query, { filter: { createdAfter: createdAt } })).threads.nodes;
  expect([before.length, after.length]).toEqual([names.size - 1, 0]);
});

test('messages are selected by metadata and by their time of creation', async () => {
  const { id } = await app.client.createThread({ messages: [{ text: 'a', metadata: { tag: '小' } }, { text: 'b' }] });
  await app.client.mutate('createMessage', { threadId: id, message: { text: 'c' } }, '__typename');
  const texts = async (filter: object) => {
    const query =
      'query($id: ID!, $filter: MessageFilter) { thread(id: $id) { messages(filter: $filter) { nodes { text createdAt } } } }';
    return (await app.client.data(query, { id, filter })).thread.messages.nodes;
  };
  expect(await texts({ metadata: { tag: '小' } })).toMatchObject([{ text: 'a' }]);
  const [{ createdAt }] = await texts({ metadata: { tag: '小' } });
  expect(await texts({ createdAfter: createdAt })).toMatchObject([{ text: 'c' }]);
  expect(await texts({ createdBefore: createdAt })).toEqual([]);
});
