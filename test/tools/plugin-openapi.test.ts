import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import type { Client } from '../support/client.ts';
import { type EchoServer, type HeardRequest, startEchoServer } from '../support/echo-server.ts';
import { ServerProcess } from '../support/process.ts';

const petstore = readFileSync(new URL('../fixtures/petstore.yaml', import.meta.url), 'utf8');
const selection = 'plugin { id name kind auth url operations { name description parameters } refreshedAt createdAt }';
let app: TestApp;
let server: EchoServer;
/** The responses of the server, by the prefix of the path. */
let answers: Record<string, (request: HeardRequest, response: import('node:http').ServerResponse) => void>;

beforeAll(async () => {
  app = await startTestApp({ PLUGIN_HOSTS: '127.0.0.1' });
  server = await startEchoServer((request, response) => {
    const path = Object.keys(answers).find((start) => request.url.startsWith(start));
    if (path) return answers[path]?.(request, response);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(request));
  });
  answers = {};
});
afterAll(async () => {
  await server.close();
  await app.stop();
});

const register = (input: object = {}, client: Client = app.client) =>
  client.mutate(
    'registerPlugin',
    { name: 'Pets', source: { openapi: { document: petstore } }, serverUrl: `${server.url}/v1`, ...input },
    selection,
  );

async function registered(input: object = {}) {
  const result = await register(input);
  if (!result.plugin) throw new Error(JSON.stringify(result));
  return result.plugin;
}

/** Makes the demo model call an operation. Returns the call and the requests that the server received. */
async function call(pluginId: string, words: string, input: object = {}) {
  const before = server.heard.length;
  const run = await app.client.ask(words, { tools: [{ plugin: { pluginId } }], ...input });
  const { steps, status } = await app.client.finished(
    run.id,
    `status steps { nodes { toolCalls { __typename status error { code message retryable }
      ... on PluginToolCall { plugin { name } operation arguments output httpStatus } } } }`,
  );
  return { status, call: steps.nodes[0].toolCalls[0], heard: server.heard.slice(before), runId: run.id };
}

describe('an OpenAPI document', () => {
  test('becomes operations with legal, unique names and self-contained schemas, recursive ones included', async () => {
    const { operations, kind, auth } = await registered();
    expect([kind, auth]).toEqual(['OPENAPI', null]);
    expect(operations.map(({ name }: { name: string }) => name)).toEqual([
      'listPets',
      'create_pets',
      'showPetById',
      'showPetById_2',
      'post_notes',
    ]);
    expect(operations[0]).toMatchObject({
      description: 'List all pets',
      parameters: { properties: { limit: { type: 'integer' } }, required: [] },
    });
    expect(operations[1].parameters).toMatchObject({
      required: ['body'],
      properties: { body: { $ref: '#/$defs/Pet' } },
      $defs: {
        Pet: {
          properties: {
            age: { type: ['integer', 'null'], exclusiveMinimum: 0 },
            friends: { items: { $ref: '#/$defs/Pet' } },
          },
        },
      },
    });
  });

  test('is read from a text, a file or a URL, and can be refreshed', async () => {
    const json = JSON.stringify({
      openapi: '3.1.0',
      info: { title: 'x', version: '1' },
      servers: [{ url: '/api' }],
      paths: { '/a': { get: { operationId: 'a', responses: { 200: { description: 'x' } } } } },
    });
    let document = json;
    answers = { '/openapi.json': (_request, response) => void response.end(document) };
    const plugin = await registered({
      source: { openapi: { url: `${server.url}/openapi.json` } },
      serverUrl: undefined,
    });
    // A relative server URL applies to the URL of the document.
    expect((await call(plugin.id, 'a')).heard.map(({ url }) => url)).toEqual(['/api/a']);
    document = json.replaceAll('"a"', '"b"');
    const { plugin: refreshed } = await app.client.mutate('refreshPlugin', { id: plugin.id }, selection);
    expect(refreshed.operations.map(({ name }: { name: string }) => name)).toEqual(['b']);
    document = 'nothing good';
    const failed = await app.client.mutate('refreshPlugin', { id: plugin.id }, selection);
    expect(failed).toMatchObject({ code: 'INVALID_INPUT' });
    const kept = await app.client.data('query($id: ID!) { plugin(id: $id) { operations { name } } }', plugin);
    expect(kept.plugin.operations).toEqual([{ name: 'b' }]);
    answers = {};
    const operations = `mutation($input: RegisterPluginInput!) { registerPlugin(input: $input) { ... on RegisterPluginPayload { plugin { operations { name } } } ... on Error { message } } }`;
    const form = new FormData();
    const variables = { input: { name: 'File', serverUrl: server.url, source: { openapi: { file: null } } } };
    form.append('operations', JSON.stringify({ query: operations, variables }));
    form.append('map', '{"0":["variables.input.source.openapi.file"]}');
    form.append('0', new File([petstore], 'petstore.yaml'));
    const { 'content-type': _type, ...headers } = app.client.headers;
    const response = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body: form });
    expect((await response.json()).data.registerPlugin.plugin.operations).toHaveLength(5);
  });

  test('can be limited to some operations, and extended again', async () => {
    const plugin = await registered({ operations: ['listPets'] });
    expect(plugin.operations).toHaveLength(1);
    const wider = await app.client.mutate('updatePlugin', { id: plugin.id, operations: [] }, selection);
    expect(wider.plugin.operations).toHaveLength(5);
    const unknown = await register({ operations: ['listCats'] });
    expect(unknown.issues).toEqual([{ path: ['operations'], message: expect.stringContaining('Available: listPets') }]);
  });

  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
    .split('')
    .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[index]}`).join(',')}]`)
    .join('\n')}`;
  const withPaths = (paths: object, more: object = {}) =>
    JSON.stringify({ openapi: '3.0.3', info: { title: 'x', version: '1' }, paths, ...more });
  test.each([
    ['plain text', 'hello'],
    ['an empty text', ' '],
    ['broken YAML', 'a: [1,'],
    ['an alias bomb', bomb],
    ['deep nesting', nested(5000)],
    ['Swagger 2', '{"swagger":"2.0","info":{"title":"x","version":"1"},"paths":{}}'],
    ['an unsupported version', withPaths({}).replace('3.0.3', '4.0.0')],
    ['no operations', withPaths({})],
    ['a reference to a file', withPaths({ '/a': { $ref: 'file:///etc/passwd' } })],
    ['a reference to a server', withPaths({ '/a': { $ref: 'http://127.0.0.1/x' } })],
    ['a broken reference', withPaths({ '/a': { $ref: '#/components/none' } })],
    ['a reference to itself', withPaths({ '/a': { $ref: '#/paths/~1a' } })],
    [
      'references that multiply',
      withPaths(
        {
          '/a': {
            get: {
              parameters: [{ name: 'x', in: 'query', schema: { $ref: '#/components/schemas/S0' } }],
              responses: { 200: { description: 'x' } },
            },
          },
        },
        {
          components: {
            schemas: Object.fromEntries(
              Array.from({ length: 12 }, (_, level) => [
                `S${level}`,
                {
                  type: 'object',
                  properties: Object.fromEntries(
                    Array.from({ length: 6 }, (__, n) => [
                      `p${n}`,
                      level < 11 ? { $ref: `#/components/schemas/S${level + 1}` } : { type: 'string' },
                    ]),
                  ),
                },
              ]),
            ),
          },
        },
      ),
    ],
    [
      'too many parameters',
      withPaths({
        '/a': {
          get: {
            parameters: Array.from({ length: 3000 }, (_, n) => ({
              name: `p${n}`,
              in: 'query',
              schema: { type: 'string' },
            })),
            responses: { 200: { description: 'x' } },
          },
        },
      }),
    ],
    ['a prototype', `{"openapi":"3.0.3","__proto__":{"x":1},"info":{"title":"x","version":"1"},"paths":{}}`],
    [
      'too many operations',
      withPaths(
        Object.fromEntries(
          Array.from({ length: 200 }, (_, n) => [`/p${n}`, { get: { responses: { 200: { description: 'x' } } } }]),
        ),
      ),
    ],
  ])('that is malicious is refused with the reason: %s', async (_name, document) => {
    const result = await register({ source: { openapi: { document } } });
    expect(result).toMatchObject({
      __typename: 'InvalidInputError',
      issues: [{ path: expect.arrayContaining([expect.stringMatching(/openapi|operations/)]) }],
    });
  });
});

describe('a call', () => {
  test('follows the document, and the model receives the response', async () => {
    const { id } = await registered();
    const args = { limit: 5, tags: ['a b', '狗'], filter: { age: 3 }, 'X-Trace': 'yes' };
    const { call: made, heard } = await call(id, `listPets ${JSON.stringify(args)}`);
    expect(heard).toMatchObject([{ method: 'GET', headers: { 'x-trace': 'yes' } }]);
    expect(decodeURIComponent(heard[0]?.url ?? '')).toBe('/v1/pets?limit=5&tags=a+b&tags=狗&filter[age]=3');
    expect(made).toMatchObject({
      __typename: 'PluginToolCall',
      status: 'COMPLETED',
      httpStatus: 200,
      operation: 'listPets',
      plugin: { name: 'Pets' },
    });
    expect(JSON.parse(made.arguments)).toEqual(args);
    expect(JSON.parse(made.output)).toMatchObject({ method: 'GET' });
  });

  test('sends bodies as JSON and as forms', async () => {
    const { id } = await registered();
    const json = await call(id, 'create_pets {"body":{"name":"旺财","friends":[{"name":"b"}]}}');
    expect(json.heard).toMatchObject([{ method: 'POST', headers: { 'content-type': 'application/json' } }]);
    expect(JSON.parse(json.heard[0]?.body ?? '')).toEqual({ name: '旺财', friends: [{ name: 'b' }] });
    const form = await call(id, 'post_notes {"body":{"text":"a&b"}}');
    expect(form.heard[0]?.body).toBe('text=a%26b');
  });

  test('cannot leave its path by its arguments', async () => {
    const { id } = await registered();
    for (const petId of ['../../admin', 'a/b?x=1#y', '%2e%2e', '..%2f']) {
      const { heard } = await call(id, `showPetById ${JSON.stringify({ petId })}`);
      expect(heard[0]?.url).toMatch(/^\/v1\/pets\/[^/?#]+$/);
    }
    for (const petId of ['..', '.', '']) {
      const { call: made, heard } = await call(id, `showPetById ${JSON.stringify({ petId })}`);
      expect([heard, made.error?.code]).toEqual([[], 'invalid_argument']);
    }
  });

  test('is not made with invalid arguments', async () => {
    const { id } = await registered();
    const { call: made, heard } = await call(id, 'create_pets {"body":{"name":"","friends":[{}]}}');
    expect(heard).toEqual([]);
    expect(made).toMatchObject({ status: 'FAILED', error: { code: 'invalid_tool_call' } });
  });

  test('that fails with an HTTP error reports the status and the body', async () => {
    const { id } = await registered();
    answers = {
      '/v1/pets': (_request, response) =>
        void response.writeHead(404, { 'content-type': 'text/plain' }).end('no such pet'),
    };
    const { call: made, status } = await call(id, 'showPetById {"petId":"1"}');
    answers = {};
    expect(status).toBe('COMPLETED');
    expect(made).toMatchObject({
      status: 'FAILED',
      httpStatus: 404,
      output: 'no such pet',
      error: { code: 'http_error' },
    });
  });

  test('is retried only for safe methods', async () => {
    const { id } = await registered();
    answers = { '/v1/pets': (_request, response) => void response.writeHead(503).end() };
    const get = await call(id, 'listPets {}');
    const post = await call(id, 'create_pets {"body":{"name":"x"}}');
    answers = {};
    expect([get.heard.length, post.heard.length]).toEqual([3, 1]);
  });

  test('reports a broken, endless or binary response', async () => {
    const { id } = await registered();
    answers = {
      '/v1/pets/cut': (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/plain', 'content-length': 100 });
        response.write('half');
        setTimeout(() => response.destroy(), 20);
      },
      '/v1/pets/endless': (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/plain' });
        const timer = setInterval(() => response.write('x'.repeat(500_000)), 1);
        response.on('close', () => clearInterval(timer));
      },
      '/v1/pets/picture': (_request, response) =>
        void response.writeHead(200, { 'content-type': 'image/png' }).end('\0\0'),
      '/v1/pets/away': (_request, response) =>
        void response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
      '/v1/pets/round': (_request, response) => void response.writeHead(302, { location: '/v1/pets/round' }).end(),
    };
    const codes: unknown[] = [];
    for (const petId of ['cut', 'endless', 'picture', 'away', 'round']) {
      const { call: made } = await call(id, `showPetById {"petId":"${petId}"}`);
      codes.push(made.error?.code ?? made.output);
    }
    answers = {};
    expect(codes).toEqual(['unreachable', 'answer_too_large', '[2 bytes of image/png]', 'host_blocked', 'unreachable']);
  });

  test('of a deleted plugin is not offered to the model', async () => {
    const { id } = await registered();
    const assistant = await app.client.createAssistant({ tools: [{ plugin: { pluginId: id } }] });
    await app.client.mutate('deletePlugin', { id }, 'deletedId');
    const run = await app.client.ask('listPets', { assistantId: assistant.id });
    expect(await app.client.finished(run.id, 'status tools { __typename }')).toMatchObject({
      status: 'COMPLETED',
      tools: [],
    });
  });
});

describe('authentication', () => {
  const secret = 'sesame-open-4711';
  test.each([
    ['a bearer token', { bearer: { token: secret } }, 'BEARER', { authorization: `Bearer ${secret}` }, ''],
    ['a header', { apiKey: { in: 'HEADER', name: 'x-key', value: secret } }, 'API_KEY', { 'x-key': secret }, ''],
    ['the query', { apiKey: { in: 'QUERY', name: 'key', value: secret } }, 'API_KEY', {}, `?key=${secret}`],
    [
      'a name and a password',
      { basic: { username: 'me', password: secret } },
      'BASIC',
      { authorization: `Basic ${Buffer.from(`me:${secret}`).toString('base64')}` },
      '',
    ],
  ])('by %s works, and the secret is never shown again', async (_name, auth, kind, headers, query) => {
    const plugin = await registered({ auth });
    expect(plugin.auth).toBe(kind);
    const { call: made, heard, runId } = await call(plugin.id, 'listPets {}');
    expect(heard).toMatchObject([{ headers, url: `/v1/pets${query}` }]);
    // The server has repeated the whole request.
    expect(made.output).toContain('[secret]');
    const { database } = app.app.services;
    const rows = JSON.stringify([
      await database.plugin.findMany({ where: { id: plugin.id } }),
      await database.toolCall.findMany({ where: { step: { runId } } }),
      await database.message.findMany({ where: { runId } }),
    ]);
    expect(rows).not.toContain(secret);
    expect(rows).not.toContain(Buffer.from(`me:${secret}`).toString('base64'));
  });

  test('by the token of the user of the run, which is deleted when the run ends', async () => {
    const plugin = await registered({ auth: { userToken: {} } });
    const without = await call(plugin.id, 'listPets {}');
    expect(without.call.error).toMatchObject({ code: 'user_token_missing' });
    const pluginTokens = [{ pluginId: plugin.id, token: secret }];
    const { heard, call: made, runId } = await call(plugin.id, 'listPets {}', { pluginTokens });
    expect(heard).toMatchObject([{ headers: { authorization: `Bearer ${secret}` } }]);
    expect(made.output).not.toContain(secret);
    const { database } = app.app.services;
    expect(await database.run.findFirst({ where: { id: runId }, select: { sealedUserTokens: true } })).toEqual({
      sealedUserTokens: null,
    });
  });

  test('never appears in the log, even in errors', async () => {
    await using own = await ServerProcess.prepare({
      PLUGIN_HOSTS: '127.0.0.1',
      LOG_LEVEL: 'trace',
      OPENAI_BASE_URL: `${server.url}/broken`,
      OPENAI_API_KEY: secret,
      MODEL_RETRIES: '0',
    });
    await own.start();
    const input = { name: 'Pets', source: { openapi: { document: petstore } }, serverUrl: `${server.url}/v1` };
    const { plugin } = await own.client.mutate(
      'registerPlugin',
      { ...input, auth: { bearer: { token: secret } } },
      selection,
    );
    answers = { '/v1/pets': (request, response) => void response.writeHead(500).end(JSON.stringify(request)) };
    const pluginTokens = [{ pluginId: plugin.id, token: `${secret}-user` }];
    const tools = [{ plugin: { pluginId: plugin.id } }];
    // The demo model calls the plugin, which answers 500. The other model fails, which the server logs.
    for (const model of ['demo', 'openai/broken']) {
      const run = await own.client.ask('listPets {}', { model, tools, pluginTokens });
      await own.client.finished(run.id);
    }
    answers = {};
    await own.client.send(
      `mutation { registerPlugin(input: { name: "", auth: { bearer: { token: "${secret}" } } }) { nothing } }`,
    );
    await own.end('SIGTERM');
    expect(own.output).toContain('"level":');
    expect(own.output).not.toContain(secret);
  });

  test('is not sent to the target of a redirect', async () => {
    await using elsewhere = await startEchoServer();
    const plugin = await registered({ auth: { bearer: { token: secret } } });
    answers = {
      '/v1/pets': (_request, response) => void response.writeHead(302, { location: `${elsewhere.url}/x` }).end(),
    };
    await call(plugin.id, 'listPets {}');
    answers = {};
    expect(elsewhere.heard).toHaveLength(1);
    expect(JSON.stringify(elsewhere.heard)).not.toContain(secret);
  });
});

test('plugins are listed, but only those of the own workspace', async () => {
  const { id } = await registered({ name: 'Listed' });
  const { plugins } = await app.client.data('{ plugins(first: 1) { totalCount nodes { id name } } }');
  expect(plugins.nodes).toEqual([{ id, name: 'Listed' }]);
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Other' }, 'workspace { id }');
  const other = app.in(workspace.id);
  expect(await other.data('query($id: ID!) { plugin(id: $id) { id } plugins { totalCount } }', { id })).toEqual({
    plugin: null,
    plugins: { totalCount: 0 },
  });
  const attached = await other.mutate('createAssistant', { tools: [{ plugin: { pluginId: id } }] }, 'assistant { id }');
  expect(attached.__typename).toBe('NotFoundError');
  const user = await app.client.as('alice');
  expect((await register({}, user)).__typename).toBe('ForbiddenError');
});
