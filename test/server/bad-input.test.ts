import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newId } from '../../src/id.ts';
import { startTestApp, type TestApp } from '../support/app.ts';

let app: TestApp;
let threadId: string;
let messageCursor: string;

beforeAll(async () => {
  app = await startTestApp();
  threadId = (await app.client.createThread({ messages: [{ text: 'one' }, { text: 'two' }] })).id;
  const { thread } = await app.client.data(
    'query($id: ID!) { thread(id: $id) { messages { pageInfo { endCursor } } } }',
    { id: threadId },
  );
  messageCursor = thread.messages.pageInfo.endCursor;
});

afterAll(() => app.stop());

/** What the tables hold, to show that nothing was half-written. */
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

describe('a mutation with a bad input answers InvalidInputError with the path of what is wrong, and writes nothing', () => {
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
      'an image that is no address',
      'createMessage',
      () => ({ threadId, message: { content: [{ imageUrl: 'file:///etc/passwd' }] } }),
      ['message', 'content', '0', 'imageUrl'],
    ],
    [
      'an image whose address is none',
      'createMessage',
      () => ({ threadId, message: { content: [{ imageUrl: 'http://[' }] } }),
      ['message', 'content', '0', 'imageUrl'],
    ],
    ['a null character', 'createMessage', () => ({ threadId, message: { text: 'a\u0000b' } }), ['message', 'text']],
    ['half a surrogate pair', 'createMessage', () => ({ threadId, message: { text: 'a\ud83d' } }), ['message', 'text']],
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
      'a bad message behind good ones',
      'createThread',
      () => ({ messages: [text, text, { text: '' }] }),
      ['messages', '2', 'text'],
    ],
    ['an unknown model', 'createAssistant', () => ({ model: 'gpt-5' }), ['model']],
    [
      'a model of no provider',
      'createRun',
      () => ({ thread: {}, messages: [text], model: 'alibaba/qwen-plus' }),
      ['model'],
    ],
    ['two of thread and threadId', 'createRun', () => ({ threadId, thread: {}, messages: [text] }), ['threadId']],
    ['none of thread and threadId', 'createRun', () => ({ messages: [text] }), ['threadId']],
    [
      'parameters that are no JSON Schema',
      'createAssistant',
      () => ({ tools: [{ function: { name: 'f', parameters: { type: 'objekt' } } }] }),
      ['tools', '0', 'function', 'parameters'],
    ],
    [
      'parameters with a broken property',
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
      'parameters nested without end',
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
      'two functions of one name',
      'createAssistant',
      () => ({ tools: [{ function: { name: 'f' } }, { function: { name: 'f' } }] }),
      ['tools', '1', 'function', 'name'],
    ],
    ['a tool that is not here', 'createAssistant', () => ({ tools: [{ webSearch: {} }] }), ['tools', '0']],
    ['a temperature of 3', 'createAssistant', () => ({ temperature: 3 }), ['temperature']],
    [
      'a response format of no kind',
      'createAssistant',
      () => ({ responseFormat: { type: 'xml' } }),
      ['responseFormat', 'type'],
    ],
    [
      'a schema of the answer that is none',
      'createAssistant',
      () => ({ responseFormat: { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'nonsense' } } } }),
      ['responseFormat', 'json_schema', 'schema'],
    ],
    ['a tool choice of no kind', 'createRun', () => ({ threadId, toolChoice: 'maybe' }), ['toolChoice']],
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

describe('an id that is unknown or malformed answers NotFoundError', () => {
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

describe('a query with a bad argument answers a coded error that says what to change', () => {
  const bad: Array<[string, () => string, string]> = [
    ['a field that is not there', () => '{ viewer { nonsense } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['a syntax error', () => '{ viewer {', 'GRAPHQL_VALIDATION_FAILED'],
    ['an argument of a wrong type', () => '{ threads(first: "ten") { totalCount } }', 'GRAPHQL_VALIDATION_FAILED'],
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
      () => `{ thread(id: "${threadId}") { messages(order: ASC, after: "${messageCursor}") { nodes { id } } } }`,
      'BAD_USER_INPUT',
    ],
    ['a cursor that is none', () => '{ assistants(after: "💥") { nodes { id } } }', 'BAD_USER_INPUT'],
    [
      'a null character in a search',
      () => '{ threads(filter: { search: "a\\u0000" }) { nodes { id } } }',
      'BAD_USER_INPUT',
    ],
    [
      'a time that is none',
      () => '{ threads(filter: { lastActiveAfter: "yesterday" }) { nodes { id } } }',
      'BAD_USER_INPUT',
    ],
    [
      'metadata that is no map of texts',
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

  test('a variable of a wrong type', async () => {
    const { errors } = await app.client.send('query($first: Int) { threads(first: $first) { totalCount } }', {
      first: 'ten',
    });
    expect(errors?.[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });
});

describe('a request that is no GraphQL over HTTP answers a coded error', () => {
  const post = (body: BodyInit, headers: object = {}) =>
    fetch(`${app.url}/graphql`, { method: 'POST', body, headers: { ...app.client.headers, ...headers } });
  const bad: Array<[string, () => Promise<Response>, number]> = [
    ['invalid UTF-8', () => post(new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])), 400],
    ['no JSON', () => post('{"query": '), 400],
    ['JSON that is no object', () => post('[]'), 400],
    ['an empty body', () => post(''), 400],
    ['no query', () => post('{}'), 200],
    ['a body of 20 MB', () => post(`{"query":"${'x'.repeat(20_000_000)}"}`), 413],
    ['no credential', () => post('{"query":"{ viewer { kind } }"}', { authorization: '' }), 401],
    ['a wrong credential', () => post('{"query":"{ viewer { kind } }"}', { authorization: 'Bearer ag_nonsense' }), 401],
    [
      'a workspace that is not there',
      () => post('{"query":"{ viewer { kind } }"}', { 'x-workspace': newId('Workspace') }),
      403,
    ],
  ];
  test.each(bad)('%s', async (_name, request, status) => {
    const response = await request();
    expect(response.status).toBe(status);
    const { errors } = (await response.json()) as { errors: Array<{ message: string; extensions: { code: string } }> };
    expect(errors[0]?.extensions.code).toMatch(/^(BAD_USER_INPUT|UNAUTHENTICATED|FORBIDDEN)$/);
    expect(errors[0]?.message).not.toMatch(/at .*\.ts/);
  });

  test('the schema alone may be read without a credential', async () => {
    const response = await post('{"query":"{ __schema { queryType { name } } }"}', { authorization: '' });
    expect(await response.json()).toEqual({ data: { __schema: { queryType: { name: 'Query' } } } });
  });

  test('a subscription with a bad cursor, or of a run that is not there, is refused', async () => {
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
  ['of no year', '0000-01-01T00:00:00Z'],
  ['of the year before the first, by its offset', '0001-01-01T00:00:00+23:59'],
  ['of the year 10000, by its offset', '9999-12-31T23:59:59-23:59'],
  ['of a day that is not there', '2026-02-31T00:00:00Z'],
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
