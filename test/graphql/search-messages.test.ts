// cspell:ignore äpfel straße strasse uick
import { beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();
let alice: Client;
let threadId: string;
const long = `${'Filler. '.repeat(200)}The needle is here.${' Filler.'.repeat(200)}`;
const texts = [
  'The quick brown fox',
  'quick: 100% sure_ly',
  '今天的天气很好，明天也是',
  '🙂 Straße ÄPFEL',
  long,
  'QUICK BROWN',
];

beforeAll(async () => {
  alice = await app.client.as('alice');
  ({ id: threadId } = await alice.createThread({ messages: texts.map((text) => ({ text })) }));
  await app.client.createThread({ messages: [{ text: 'a quick secret of the workspace' }] });
});

const fields = 'message { id text position thread { id } } snippet ranges { startIndex endIndex }';
interface Hit {
  message: { id: string; text: string; position: number; thread: { id: string } };
  snippet: string;
  ranges: Array<{ startIndex: number; endIndex: number }>;
}
async function search(client: Client, query: string, filter: object = {}): Promise<Hit[]> {
  const { searchMessages } = await client.data(
    `query($query: String!, $filter: MessageSearchFilter) { searchMessages(query: $query, filter: $filter) { nodes { ${fields} } totalCount } }`,
    { query, filter },
  );
  expect(searchMessages.totalCount).toBe(searchMessages.nodes.length);
  return searchMessages.nodes;
}
const marked = ({ snippet, ranges }: Hit) =>
  ranges.map(({ startIndex, endIndex }) => snippet.slice(startIndex, endIndex));

test.each([
  ['a word in any case, newest first', 'quick', ['QUICK BROWN', texts[1], texts[0]], [['QUICK'], ['quick'], ['quick']]],
  [
    'every word of the query',
    'brown quick',
    ['QUICK BROWN', texts[0]],
    [
      ['QUICK', 'BROWN'],
      ['quick', 'brown'],
    ],
  ],
  ['a part of a word', 'uic', ['QUICK BROWN', texts[1], texts[0]], [['UIC'], ['uic'], ['uic']]],
  ['Chinese', '天气', [texts[2]], [['天气']]],
  ['other scripts and cases', 'äpfel STRASSE', [], []],
  ['an emoji', '🙂', [texts[3]], [['🙂']]],
  ['characters with a meaning in SQL', '100% sure_ly', [texts[1]], [['100%', 'sure_ly']]],
  ['nothing', 'absent', [], []],
])('finds %s', async (_name, query, expected, marks) => {
  const hits = await search(alice, query);
  expect(hits.map(({ message }) => message.text)).toEqual(expected);
  expect(hits.map(marked)).toEqual(marks);
});

test('a snippet is the part of a long text around the first word', async () => {
  const [hit] = (await search(alice, 'needle')) as [Hit];
  expect(hit.snippet.length).toBeLessThanOrEqual(240);
  expect(hit.snippet).toContain('The needle is here.');
  expect(marked(hit)).toEqual(['needle']);
  expect(hit.message).toMatchObject({ position: 5, thread: { id: threadId } });
});

test('overlapping words are marked as one range', async () => {
  const [hit] = (await search(alice, 'quick brown uick qui', { threadId, createdAfter: null })) as [Hit];
  expect(marked(hit)).toEqual(['QUICK', 'BROWN']);
});

test('an end user finds messages of their own threads only, and a key those of its workspace', async () => {
  expect(await search(alice, 'secret')).toEqual([]);
  expect(await search(await app.client.as('bob'), 'quick')).toEqual([]);
  expect(await search(app.client, 'quick')).toHaveLength(4);
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Other' }, 'workspace { id }');
  expect(await search(new Client(app.url, app.client.key, workspace.id), 'quick')).toEqual([]);
});

test('is limited by owner, role, thread and time', async () => {
  expect(await search(app.client, 'quick', { owner: 'alice' })).toHaveLength(3);
  expect(await search(app.client, 'quick', { role: 'ASSISTANT' })).toEqual([]);
  expect(await search(app.client, 'quick', { threadId })).toHaveLength(3);
  expect(await search(app.client, 'quick', { createdBefore: '2020-01-01T00:00:00Z' })).toEqual([]);
});

test('pages have every hit once, while messages are added, and in few statements', async () => {
  const { id } = await alice.createThread({
    messages: Array.from({ length: 7 }, (_, index) => ({ text: `page ${index}` })),
  });
  const query = `query($id: ID, $after: String) { searchMessages(query: "page", first: 3, after: $after, filter: { threadId: $id }) { edges { cursor node { ${fields} } } pageInfo { hasNextPage endCursor } } }`;
  const seen: string[] = [];
  let after: string | null = null;
  do {
    const { searchMessages }: any = await alice.data(query, { id, after });
    seen.push(...searchMessages.edges.map(({ node }: { node: Hit }) => node.message.text));
    await alice.mutate('createMessage', { threadId: id, message: { text: 'page new' } }, '__typename');
    after = searchMessages.pageInfo.hasNextPage ? searchMessages.pageInfo.endCursor : null;
  } while (after);
  expect(seen.toSorted()).toEqual(Array.from({ length: 7 }, (_, index) => `page ${index}`));
  const statements = await app.statements(() => alice.data(query, { id, after: null }));
  expect(statements.length).toBeLessThanOrEqual(3);
});

test('words after the eighth are ignored', async () => {
  expect(await search(alice, 'the quick brown fox t h e q absent')).toHaveLength(1);
});

describe('is refused as bad input', () => {
  test.each([
    ['an empty query', { query: ' ' }],
    ['a query longer than the limit', { query: 'x'.repeat(201) }],
    ['a null character', { query: 'a\u0000' }],
  ])('%s', async (_name, variables) => {
    const { errors } = await alice.send(
      'query($query: String!) { searchMessages(query: $query) { totalCount } }',
      variables,
    );
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['BAD_USER_INPUT']);
  });
});
