import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { useApp } from '../support/use-app.ts';

const app = useApp();
let threadId: string;
const count = 23;

beforeAll(async () => {
  const messages = Array.from({ length: count }, (_, index) => ({ text: `message ${index + 1}` }));
  threadId = (await app.client.createThread({ title: 'Long', messages })).id;
  for (let index = 0; index < count; index += 1) {
    await app.client.createAssistant(
      index % 3 === 0 ? {} : { name: `name ${index % 5}`, metadata: { group: String(index % 2) } },
    );
    if (index > 0) await app.client.createThread({ title: `thread ${index}` });
  }
});

const pageInfo = 'pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';

/** The lists under test; each function reads one page. */
const lists: Record<
  string,
  (args: string) => Promise<{
    nodes: Array<{ id: string }>;
    edges: Array<{ cursor: string }>;
    pageInfo: PageInfo;
    totalCount: number;
  }>
> = {
  messages: async (args) =>
    (
      await app.client.data(
        `{ thread(id: "${threadId}") { messages(${args}) { totalCount nodes { id } edges { cursor } ${pageInfo} } } }`,
      )
    ).thread.messages,
  ...Object.fromEntries(
    ['CREATED_AT', 'UPDATED_AT', 'NAME'].flatMap((field) =>
      ['ASC', 'DESC'].map((direction) => [
        `assistants by ${field} ${direction}`,
        async (args: string) =>
          (
            await app.client.data(
              `{ assistants(orderBy: { field: ${field}, direction: ${direction} }, ${args}) { totalCount nodes { id } edges { cursor } ${pageInfo} } }`,
            )
          ).assistants,
      ]),
    ),
  ),
  threads: async (args) =>
    (await app.client.data(`{ threads(${args}) { totalCount nodes { id } edges { cursor } ${pageInfo} } }`)).threads,
};

interface PageInfo {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  startCursor: string | null;
  endCursor: string | null;
}

test.each(Object.keys(lists))('pages of any size, forward and backward, add up to the whole list: %s', async (name) => {
  const list = lists[name] as (typeof lists)[string];
  const whole = (await list('first: 100')).nodes.map(({ id }) => id);
  expect(whole).toHaveLength(count);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (sizes, isBackward) => {
        const read: string[] = [];
        let cursor: string | null = null;
        for (let index = 0, more = true; more; index += 1) {
          const size = sizes[index % sizes.length];
          const place: string = cursor === null ? '' : `, ${isBackward ? 'before' : 'after'}: "${cursor}"`;
          const page = await list(`${isBackward ? 'last' : 'first'}: ${size}${place}`);
          const ids = page.nodes.map(({ id }) => id);
          if (isBackward) read.unshift(...ids);
          else read.push(...ids);
          expect(page.totalCount).toBe(count);
          cursor = isBackward ? page.pageInfo.startCursor : page.pageInfo.endCursor;
          more = isBackward ? page.pageInfo.hasPreviousPage : page.pageInfo.hasNextPage;
        }
        expect(read).toEqual(whole);
      },
    ),
    { numRuns: 6 },
  );
});

test('a page keeps its place while rows are added and deleted', async () => {
  const { id } = await app.client.createThread({
    messages: Array.from({ length: 6 }, (_, index) => ({ text: `${index + 1}` })),
  });
  const page = async (args: string) =>
    (
      await app.client.data(
        `{ thread(id: "${id}") { messages(orderBy: { direction: ASC }, ${args}) { nodes { id text } pageInfo { endCursor } } } }`,
      )
    ).thread.messages;
  const first = await page('first: 2');
  await app.client.mutate('deleteMessage', { id: first.nodes[1].id }, 'deletedId');
  await app.client.mutate('createMessage', { threadId: id, message: { text: '7' } }, 'threadMessage { id }');
  const second = await page(`first: 10, after: "${first.pageInfo.endCursor}"`);
  expect(second.nodes.map(({ text }: { text: string }) => text)).toEqual(['3', '4', '5', '6', '7']);
});

const listsOfNoNulls = ['messages', 'threads', 'assistants by CREATED_AT ASC'];
test.each(listsOfNoNulls)('a tampered cursor is refused: %s', async (name) => {
  const list = lists[name] as (typeof lists)[string];
  const { edges } = await list('first: 1');
  const [head, tag, , ...rest] = Buffer.from(edges[0]?.cursor ?? '', 'base64url')
    .toString()
    .split('\u001f');
  const hostile = [
    '',
    '=',
    '=-271821-04-20T00:00:00.000Z',
    '=0000-01-01T00:00:00.000Z',
    '=1.5',
    '=1e400',
    '=0x10',
    '=now',
  ];
  for (const value of [...hostile, '=2026-02-31T00:00:00.000Z', '=99999999999', '=\u0000']) {
    const cursor = Buffer.from([head, tag, value, ...rest].join('\u001f')).toString('base64url');
    for (const place of ['after', 'before']) {
      const refused = await list(`first: 5, ${place}: "${cursor}"`).catch((error: Error) => JSON.parse(error.message));
      expect(refused).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    }
  }
});

test('a page between two cursors holds the rows between them', async () => {
  const list = lists.messages as (typeof lists)[string];
  const { edges, nodes } = await list('first: 10');
  const between = await list(`first: 10, after: "${edges[2]?.cursor}", before: "${edges[6]?.cursor}"`);
  expect(between.nodes).toEqual(nodes.slice(3, 6));
});

test('filters and searches match in any script and with any special character', async () => {
  const made = await app.client.createThread({
    title: '50% off_now',
    messages: [{ text: '北京的天气 🌦️ is \\ fine' }],
    metadata: { order: '66' },
    owner: 'bob',
  });
  const ids = async (filter: string) =>
    (await app.client.data(`{ threads(filter: { ${filter} }) { nodes { id } } }`)).threads.nodes.map(
      ({ id }: { id: string }) => id,
    );
  for (const filter of [
    'search: "50% OFF_"',
    'search: "京的天"',
    'search: "🌦️"',
    'search: "\\\\ fine"',
    'metadata: { order: "66" }',
    'owner: "bob"',
  ]) {
    expect(await ids(filter)).toEqual([made.id]);
  }
  for (const filter of [
    'search: "5%f"',
    'search: "off%now"',
    'metadata: { order: "6" }',
    'owner: "bo"',
    'archived: true',
  ]) {
    expect(await ids(filter)).toEqual([]);
  }
  await app.client.mutate('updateThread', { id: made.id, archived: true }, 'thread { archivedAt }');
  expect(await ids('owner: "bob"')).toEqual([]);
  expect(await ids('owner: "bob", archived: null')).toEqual([made.id]);
});
