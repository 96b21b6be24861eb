import { parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { requireCost } from '../../src/graphql/operation-cost.ts';
import { schema } from '../support/schema-cases.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp({ environment: { MAX_QUERY_COST: '100000' } });
const costOf = (query: string, variableValues: Record<string, unknown> = {}) =>
  requireCost({ schema, document: parse(query), variableValues }, 1e12);

const thread =
  'id title lastActiveAt archivedAt metadata activeRun { id status } lastMessage { id role text createdAt }';
const call =
  '__typename id index status ... on FunctionToolCall { name arguments output } ... on PluginToolCall { operation arguments output httpStatus plugin { id name } } ... on CodeInterpreterToolCall { code logs files { id name url } } ... on FileSearchToolCall { query results { text score page file { id name } } } ... on WebSearchToolCall { query output } ... on TextToImageToolCall { prompt images { id url } }';
const step = `id index type status reasoning durationMs usage { totalTokens } cost toolCalls { ${call} }`;
const message =
  'id role status text position createdAt clientId flags content { ... on TextContent { text annotations { startIndex endIndex text ... on FileCitation { quote file { id name } } } } ... on ImageContent { url } ... on RefusalContent { refusal } } attachments { id name mimeType sizeBytes url } run { id status }';
/** Screens of a chat product, at the default sizes of pages. */
const screens: Record<string, string> = {
  'a chat page': `query($id: ID!) { thread(id: $id) { ${thread} eventCursor messages { nodes { ${message} } pageInfo { hasNextPage endCursor } } runs(first: 5) { nodes { id status steps { nodes { ${step} } } } } } }`,
  'a run page': `query($id: ID!) { run(id: $id) { id status model usage { totalTokens } cost steps { nodes { ${step} } } messages { nodes { ${message} } } thread { ${thread} } assistant { id name } } }`,
  'a list of threads': `{ threads { totalCount pageInfo { hasNextPage endCursor } nodes { ${thread} } } assistants { nodes { id name model } } viewer { userId scopes } }`,
  'a list of threads with everything': `{ threads { nodes { id title messages { nodes { id role text } } runs { nodes { id status steps { nodes { id type status toolCalls { id status } } } } } } } }`,
};

test.each(Object.entries(screens))('%s at default sizes is within the limit', async (_name, query) => {
  const { errors, ...answer } = await app.client.send(query, { id: 'run_01h455vb4pex5vsknk084sn02q' });
  expect(errors).toBeUndefined();
  const { cost } = (answer as unknown as { extensions: { cost: { cost: number; limit: number; spent: number } } })
    .extensions;
  expect(cost).toMatchObject({ cost: costOf(query), limit: 100_000 });
  expect(cost.cost).toBeLessThan(80_000);
});

describe('the cost of an operation', () => {
  test.each([
    ['an object and its values', '{ viewer { kind userId } }', 2],
    ['a page', '{ threads(first: 10) { nodes { id } } }', 1 + 10 * 1.2],
    ['a page by a variable', 'query($n: Int) { threads(first: $n) { nodes { id } } }', 1 + 7 * 1.2],
    ['a page by the default of a variable', 'query($m: Int = 3) { threads(last: $m) { nodes { id } } }', 1 + 3 * 1.2],
    ['the default page', '{ threads { nodes { id } pageInfo { endCursor } } }', 1 + 20 * 1.2 + 1.2],
    ['edges', '{ threads(first: 10) { edges { cursor node { id } } } }', 1 + 10 * (1 + 0.2 + 1.2)],
    ['ids', '{ nodes(ids: ["a", "b", "c"]) { id } }', 3 * 1.2],
    ['a list that is no connection', '{ models { id } }', 5 * 1.2],
    [
      'the same field in two fragments',
      '{ viewer { ...A ...B } } fragment A on Viewer { kind } fragment B on Viewer { kind }',
      2,
    ],
    [
      'the dearest of exclusive fragments',
      '{ node(id: "x") { ... on Run { id status } ... on Step { id } ... on Thread { id title owner } } }',
      1.6,
    ],
    [
      'skipped fields',
      'query($no: Boolean = true) { viewer { kind workspace @skip(if: $no) { id } userId @include(if: false) } }',
      2,
    ],
    ['introspection', '{ __schema { types { name } } }', 0],
  ])('counts %s', (_name, query, cost) => {
    expect(costOf(query, { n: 7 })).toBe(Math.ceil(cost as number));
  });

  test('spent is what the response has', async () => {
    await app.client.createThread();
    const { data, ...answer } = await app.client.send('{ threads(first: 50) { nodes { id title } } }');
    const spent = Math.ceil(1 + data.threads.nodes.length * 1.4);
    expect(answer).toMatchObject({ extensions: { cost: { cost: 1 + 50 * 1.4, limit: 100_000, spent } } });
  });
});

const hostile: Record<string, string> = {
  'three full pages within each other':
    '{ threads(first: 100) { nodes { messages(first: 100) { nodes { run { steps(first: 100) { nodes { id } } } } } } } }',
  'many aliases of a page': `{ ${Array.from({ length: 60 }, (_, index) => `a${index}: threads(first: 100) { nodes { messages { nodes { id } } } }`).join(' ')} }`,
};

test.each(Object.entries(hostile))('%s is refused', async (_name, query) => {
  const { errors } = await app.client.send(query);
  expect(errors?.[0]).toMatchObject({
    message: expect.stringMatching(/costs \d+; the limit is 100000/),
    extensions: { code: 'QUERY_TOO_COMPLEX' },
  });
});

test('fragments that are spread very often are refused without being counted to the end', async () => {
  const fragments = Array.from(
    { length: 6 },
    (_, index) =>
      `fragment F${index} on Thread { ${'abcdefgh'
        .split('')
        .map((name) => `${name}: lastMessage { thread { ...F${index + 1} } }`)
        .join(' ')} }`,
  );
  const query = `{ threads(first: 1) { nodes { ...F0 } } } ${fragments.join(' ')} fragment F6 on Thread { id }`;
  const start = performance.now();
  expect(() => costOf(query)).toThrow(/more than 20000 fields/);
  expect(performance.now() - start).toBeLessThan(1000);
});
