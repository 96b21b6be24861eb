import { beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/id.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();
let threadId: string;
let messageCursor: string;

beforeAll(async () => {
  threadId = (await app.client.createThread({ messages: [{ text: 'one' }, { text: 'two' }] })).id;
  const { thread } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { messages { pageInfo { endCursor } } } }',
    { id: threadId },
  );
  messageCursor = thread.messages.pageInfo.endCursor;
});

/** Row counts, to prove that nothing was partly written. */
async function rows(): Promise<number[]> {
  const { database } = app.app.services;
  return Promise.all([
    database.assistant.count(),
    database.thread.count(),
    database.message.count(),
    database.run.count(),
    database.event.count(),
  ]);
}

const pairs = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`key${index}`, 'value']));
const text = { text: 'hello' };

describe('a mutation with an invalid input returns InvalidInputError with the path of the fault and writes nothing', () => {
  const bad: Array<[string, string, () => object, string[]]> = [
    ['an empty message', 'createMessage', () => ({ threadId, message: { text: ' ' } }), ['message', 'text']],
    [
      'a message of 300,000 characters',
      'createMessage',
      () => ({ threadId, message: { text: 'x'.repeat(300_000) } }),
      ['message', 'text'],
    ],
    ['neither text nor content', 'createMessage', () => ({ threadId, message: {} }), ['message']],
    [
      'text and content',
      'createMessage',
      () => ({ threadId, message: { text: 'a', content: [{ text: 'b' }] } }),
      ['message'],
    ],
    [
      'an image URL with another protocol',
      'createMessage',
      () => ({ threadId, message: { content: [{ imageUrl: 'file:///etc/passwd' }] } }),
      ['message', 'content', '0', 'imageUrl'],
    ],
    [
      'a malformed image URL',
      'createMessage',
      () => ({ threadId, message: { content: [{ imageUrl: 'http://[' }] } }),
      ['message', 'content', '0', 'imageUrl'],
    ],
    ['a null character', 'createMessage', () => ({ threadId, message: { text: 'a\u0000b' } }), ['message', 'text']],
    ['a lone surrogate', 'createMessage', () => ({ threadId, message: { text: 'a\ud83d' } }), ['message', 'text']],
    ['a null character in a key', 'createThread', () => ({ metadata: { 'a\u0000': 'b' } }), ['metadata']],
    ['17 metadata pairs', 'createThread', () => ({ metadata: pairs(17) }), ['metadata']],
    [
      'a metadata key of 65 characters',
      'createThread',
      () => ({ metadata: { ['k'.repeat(65)]: 'v' } }),
      ['metadata', 'k'.repeat(65)],
    ],
    [
      'a metadata value of 513 characters',
      'createThread',
      () => ({ metadata: { key: 'v'.repeat(513) } }),
      ['metadata', 'key'],
    ],
    ['101 messages', 'createThread', () => ({ messages: Array(101).fill(text) }), ['messages']],
    [
      'an invalid message after valid ones',
      'createThread',
      () => ({ messages: [text, text, { text: '' }] }),
      ['messages', '2', 'text'],
    ],
    ['an unknown model', 'createAssistant', () => ({ model: 'gpt-5' }), ['model']],
    [
      'a model without a configured provider',
      'createRun',
      () => ({ thread: {}, messages: [text], model: 'alibaba/qwen-plus' }),
      ['model'],
    ],
    ['both thread and threadId', 'createRun', () => ({ threadId, thread: {}, messages: [text] }), ['threadId']],
    ['neither thread nor threadId', 'createRun', () => ({ messages: [text] }), ['threadId']],
    [
      'parameters that are not a JSON Schema',
      'createAssistant',
      () => ({ tools: [{ function: { name: 'f', parameters: { type: 'objekt' } } }] }),
      ['tools', '0', 'function', 'parameters'],
    ],
    [
      'parameters with an invalid property',
      'createAssistant',
      () => ({ tools: [{ function: { name: 'f', parameters: { type: 'object', properties: { a: { type: 7 } } } } }] }),
      ['tools', '0', 'function', 'parameters'],
    ],
    [
      'parameters that are a list',
      'createAssistant',
      () => ({ tools: [{ function: { name: 'f', parameters: [] } }] }),
      ['tools', '0', 'function', 'parameters'],
    ],
    [
      'parameters nested too deeply',
      'createAssistant',
      () => ({
        tools: [{ function: { name: 'f', parameters: JSON.parse(`${'{"a":'.repeat(100)}1${'}'.repeat(100)}`) } }],
      }),
      ['tools', '0', 'function'],
    ],
    [
      'a function name with a space',
      'createAssistant',
      () => ({ tools: [{ function: { name: 'a b' } }] }),
      ['tools', '0', 'function', 'name'],
    ],
    [
      'two functions with the same name',
      'createAssistant',
      () => ({ tools: [{ function: { name: 'f' } }, { function: { name: 'f' } }] }),
      ['tools', '1', 'function', 'name'],
    ],
    ['a tool that is not configured', 'createAssistant', () => ({ tools: [{ webSearch: {} }] }), ['tools', '0']],
    ['a temperature of 3', 'createAssistant', () => ({ temperature: 3 }), ['temperature']],
    [
      'an invalid schema of the response format',
      'createAssistant',
      () => ({ responseFormat: { jsonSchema: { name: 'a', schema: { type: 'nonsense' } } } }),
      ['responseFormat', 'jsonSchema', 'schema'],
    ],
    [
      'an empty tool choice',
      'createRun',
      () => ({ threadId, toolChoice: { function: '' } }),
      ['toolChoice', 'function'],
    ],
    [
      'lastMessages without its strategy',
      'createRun',
      () => ({ threadId, truncation: { strategy: 'AUTO', lastMessages: 3 } }),
      ['truncation', 'lastMessages'],
    ],
    ['a workspace without a name', 'createWorkspace', () => ({ name: '' }), ['name']],
    [
      'a setting out of range',
      'updateWorkspace',
      () => ({ settings: { runExpirySeconds: 1 } }),
      ['settings', 'runExpirySeconds'],
    ],
  ];
  test.each(bad)('%s', async (_name, mutation, input, path) => {
    const before = await rows();
    const result = await app.client.mutate(mutation, input(), '__typename');
    expect(result).toMatchObject({ __typename: 'InvalidInputError', code: 'INVALID_INPUT' });
    const found = result.issues.map((issue: { path: string[] }) => issue.path.slice(0, path.length));
    expect(found).toContainEqual(path);
    expect(
      result.issues.every(({ message }: { message: string }) => message.length > 10 && message.endsWith('.')),
    ).toBe(true);
    expect(await rows()).toEqual(before);
  });
});

describe('an unknown or malformed id returns NotFoundError', () => {
  const ids = [
    newId('Thread'),
    'thread_x',
    '',
    '🧵',
    'thread_\u0000',
    `thread_${'0'.repeat(10_000)}`,
    newId('Message'),
    "' OR 1=1 --",
  ];
  test.each(ids)('%j', async (id) => {
    const results = [
      await app.client.mutate('updateThread', { id, title: 'x' }, '__typename'),
      await app.client.mutate('createRun', { threadId: id }, '__typename'),
      await app.client.mutate('createMessage', { threadId: id, message: text }, '__typename'),
      await app.client.mutate('createThread', { assistantId: id }, '__typename'),
    ];
    const expected = id.includes('\0') ? 'InvalidInputError' : 'NotFoundError';
    expect(results.map(({ __typename }) => __typename)).toEqual(Array(4).fill(expected));
    const { data } = await app.client.send(
      'query($id: ID!) { node(id: $id) { id } thread(id: $id) { id } run(id: $id) { id } nodes(ids: [$id]) { id } }',
      { id },
    );
    expect(data).toEqual({ node: null, thread: null, run: null, nodes: [null] });
  });
});

describe('an invalid query returns an error with a code and the change to make', () => {
  const bad: Array<[string, () => string, string]> = [
    ['an unknown field', () => '{ viewer { nonsense } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['a syntax error', () => '{ viewer {', 'GRAPHQL_VALIDATION_FAILED'],
    ['an argument of the wrong type', () => '{ threads(first: "ten") { totalCount } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['a page of 10,000', () => '{ threads(first: 10000) { nodes { id } } }', 'BAD_USER_INPUT'],
    ['a page of -1', () => '{ threads(last: -1) { nodes { id } } }', 'BAD_USER_INPUT'],
    ['first and last', () => '{ threads(first: 1, last: 1) { nodes { id } } }', 'BAD_USER_INPUT'],
    [
      'a nested page of 10,000',
      () => `{ thread(id: "${threadId}") { messages(first: 10000) { nodes { id } } } }`,
      'BAD_USER_INPUT',
    ],
    ['a cursor of another list', () => `{ threads(after: "${messageCursor}") { nodes { id } } }`, 'BAD_USER_INPUT'],
    [
      'a cursor of another order',
      () =>
        `{ thread(id: "${threadId}") { messages(orderBy: { direction: ASC }, after: "${messageCursor}") { nodes { id } } } }`,
      'BAD_USER_INPUT',
    ],
    ['a malformed cursor', () => '{ assistants(after: "💥") { nodes { id } } }', 'BAD_USER_INPUT'],
    [
      'a null character in a search',
      () => '{ threads(filter: { search: "a\\u0000" }) { nodes { id } } }',
      'BAD_USER_INPUT',
    ],
    [
      'a malformed time',
      () => '{ threads(filter: { lastActiveAfter: "yesterday" }) { nodes { id } } }',
      'BAD_USER_INPUT',
    ],
    [
      'metadata values that are not strings',
      () => '{ threads(filter: { metadata: { a: 1 } }) { nodes { id } } }',
      'BAD_USER_INPUT',
    ],
  ];
  test.each(bad)('%s', async (_name, query, code) => {
    const { errors } = await app.client.send(query());
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual([code]);
    expect(errors?.[0]?.message).not.toMatch(/prisma|postgres|stack|\/src\//i);
  });

  test('a cursor of another thread', async () => {
    const other = await app.client.createThread({ messages: [text, text] });
    const { errors } = await app.client.send(
      `{ thread(id: "${other.id}") { messages(after: "${messageCursor}") { nodes { id } } } }`,
    );
    expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });

  test('a variable of the wrong type', async () => {
    const { errors } = await app.client.send('query($first: Int) { threads(first: $first) { totalCount } }', {
      first: 'ten',
    });
    expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });
});

describe('an invalid GraphQL-over-HTTP request returns an error with a code', () => {
  const post = (body: BodyInit, headers: object = {}) =>
    fetch(`${app.url}/graphql`, { method: 'POST', body, headers: { ...app.client.headers, ...headers } });
  const bad: Array<[string, () => Promise<Response>, number]> = [
    ['invalid UTF-8', () => post(new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])), 400],
    ['malformed JSON', () => post('{"query": '), 400],
    ['JSON that is not an object', () => post('[]'), 400],
    ['an empty body', () => post(''), 400],
    ['an object without a query', () => post('{}'), 200],
    ['a body of 20 MB', () => post(`{"query":"${'x'.repeat(20_000_000)}"}`), 413],
    ['no credential', () => post('{"query":"{ viewer { kind } }"}', { authorization: '' }), 401],
    ['a wrong credential', () => post('{"query":"{ viewer { kind } }"}', { authorization: 'Bearer ag_nonsense' }), 401],
    ['an unknown workspace', () => post('{"query":"{ viewer { kind } }"}', { 'x-workspace': newId('Workspace') }), 403],
  ];
  test.each(bad)('%s', async (_name, request, status) => {
    const response = await request();
    expect(response.status).toBe(status);
    const { errors } = (await response.json()) as { errors: Array<{ message: string; extensions: { code: string } }> };
    expect(errors[0]?.extensions.code).toMatch(/^(BAD_USER_INPUT|UNAUTHENTICATED|FORBIDDEN)$/);
    expect(errors[0]?.message).not.toMatch(/at .*\.ts/);
  });

  test('the schema can be read without a credential', async () => {
    const response = await post('{"query":"{ __schema { queryType { name } } }"}', { authorization: '' });
    expect(await response.json()).toEqual({ data: { __schema: { queryType: { name: 'Query' } } } });
  });

  test('a subscription with an invalid cursor or an unknown run is refused', async () => {
    const run = await app.client.ask('hello');
    const other = await app.client.ask('hello');
    const [first] = await Promise.all([app.client.follow(other.id).next()]);
    const refusal = async (id: string, after?: string) =>
      (
        await app.client
          .follow(id, after)
          .next()
          .catch((error) => error)
      ).errors?.[0]?.extensions.code;
    expect(await refusal(run.id, 'nonsense')).toBe('BAD_USER_INPUT');
    expect(await refusal(run.id, '')).toBe('BAD_USER_INPUT');
    expect(await refusal(run.id, first.value.cursor)).toBe('BAD_USER_INPUT');
    expect(await refusal(newId('Run'))).toBe('NOT_FOUND');
    expect(await refusal('run_x')).toBe('NOT_FOUND');
  });
});

test.each([
  ['of the year 0', '0000-01-01T00:00:00Z'],
  ['before the year 1 because of its offset', '0001-01-01T00:00:00+23:59'],
  ['in the year 10000 because of its offset', '9999-12-31T23:59:59-23:59'],
  ['on a date that does not exist', '2026-02-31T00:00:00Z'],
  ['without an offset', '2026-11-21T08:30:00'],
  ['in words', 'tomorrow'],
])('a time %s is refused', async (_name, expiresAt) => {
  const query = 'mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { __typename } }';
  const input = { name: 'Odd', scopes: ['THREADS_READ'], expiresAt };
  const { errors } = await app.client.send(query, { input });
  expect(errors?.[0]).toMatchObject({
    message: expect.stringContaining('2026-11-21T08:30:00.000Z'),
    extensions: { code: 'BAD_USER_INPUT' },
  });
});

describe('an address that is no URL returns InvalidInputError', () => {
  const document = JSON.stringify({ openapi: '3.0.0', info: { title: 'T', version: '1' }, paths: {} });
  test.each(['http://[fe80::1%25lo]:80/', 'http://a b', 'http://', 'http://%', '//x', 'http://x:99999'])(
    '%s',
    async (url) => {
      const inputs = [
        { name: 'P', source: { openapi: { url } } },
        { name: 'P', source: { mcp: { url } } },
        { name: 'P', source: { openapi: { document } }, serverUrl: url },
      ];
      for (const input of inputs) {
        expect((await app.client.mutate('registerPlugin', input, '__typename')).__typename).toBe('InvalidInputError');
      }
      const update = { id: newId('Plugin'), serverUrl: url };
      expect((await app.client.mutate('updatePlugin', update, '__typename')).__typename).toBe('InvalidInputError');
    },
  );
});

test('a thread keeps its title when an update names a file that does not exist', async () => {
  const { id } = await app.client.createThread({ title: 'Before' });
  const input = { id, title: 'After', archived: true, fileIds: [newId('File')] };
  expect((await app.client.mutate('updateThread', input, '__typename')).__typename).toBe('NotFoundError');
  const { thread } = await app.client.data(`{ thread(id: "${id}") { title archivedAt } }`);
  expect(thread).toEqual({ title: 'Before', archivedAt: null });
});
