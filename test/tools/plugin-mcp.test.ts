import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { all } from '../support/client.ts';
import { startEchoServer } from '../support/echo-server.ts';
import { type Everything, startEverything } from '../support/everything.ts';

let app: TestApp;
let server: Everything;
let url: string;

beforeAll(async () => {
  server = await startEverything();
  url = server.url;
  app = await startTestApp({ PLUGIN_HOSTS: '127.0.0.0/8' });
});
afterAll(async () => {
  await server.kill();
  await app.stop();
});

const selection = 'plugin { id kind operations { name description parameters } }';

async function registered(
  input: object = {},
): Promise<{ id: string; operations: Array<{ name: string; parameters: object }> }> {
  const result = await app.client.mutate(
    'registerPlugin',
    { name: 'Everything', source: { mcp: { url } }, ...input },
    selection,
  );
  if (!result.plugin) throw new Error(JSON.stringify(result));
  return result.plugin;
}

async function call(pluginId: string, words: string) {
  const run = await app.client.ask(words, { tools: [{ plugin: { pluginId } }] });
  const { steps } = await app.client.finished(
    run.id,
    'steps { nodes { toolCalls { status error { code message } ... on PluginToolCall { operation output httpStatus } } } }',
  );
  return steps.nodes[0].toolCalls[0];
}

describe("the MCP project's own server", () => {
  test('becomes operations', async () => {
    const { operations } = await registered();
    expect(operations.map(({ name }) => name)).toEqual(expect.arrayContaining(['echo', 'get-sum', 'get-tiny-image']));
    const sum = operations.find(({ name }) => name === 'get-sum');
    expect(sum?.parameters).toMatchObject({ type: 'object', required: ['a', 'b'] });
  });

  test('is called, and the model receives its result', async () => {
    const { id } = await registered({ operations: ['echo', 'get-sum'] });
    expect(await call(id, 'echo {"message":"你好 🙂"}')).toMatchObject({
      status: 'COMPLETED',
      operation: 'echo',
      output: 'Echo: 你好 🙂\n',
    });
    expect((await call(id, 'get-sum {"a":2,"b":3}')).output).toContain('5');
    expect(await call(id, 'get-sum {"a":"two"}')).toMatchObject({
      status: 'FAILED',
      error: { code: 'invalid_tool_call' },
    });
  });

  test('reports its progress during a call', async () => {
    const { id } = await registered();
    const run = await app.client.ask('trigger-long-running-operation {"duration":1,"steps":4}', {
      tools: [{ plugin: { pluginId: id } }],
    });
    const events = await all(app.client.follow(run.id));
    const output = events.flatMap(({ toolCall }) => toolCall?.output ?? []);
    expect(output.length).toBeGreaterThan(2);
    expect(output.join('')).toMatch(/^\[1 of 4\]\n\[2 of 4\]\n[\s\S]*completed/);
  });

  test('may return images and structured content', async () => {
    const { id } = await registered();
    expect((await call(id, 'get-tiny-image')).output).toMatch(
      /\[The file answer\.png, \d+ bytes, was added to the conversation\.\]/,
    );
    expect((await call(id, 'get-structured-content {"location":"New York"}')).output).toContain('temperature');
    const { files } = await app.client.data('{ files(filter: { search: "answer.png" }) { nodes { mimeType url } } }');
    expect((await fetch(files.nodes[0].url)).headers.get('content-type')).toBe('image/png');
  });

  test('is disconnected when the run is cancelled', async () => {
    const { id } = await registered();
    const run = await app.client.ask('trigger-long-running-operation {"duration":60,"steps":60}', {
      tools: [{ plugin: { pluginId: id } }],
    });
    for await (const event of app.client.follow(run.id)) {
      if (event.toolCall?.output) await app.client.mutate('cancelRun', { id: run.id }, 'run { id }');
    }
    expect(await app.client.finished(run.id)).toMatchObject({ status: 'CANCELLED' });
  });

  test('that is unreachable is reported as unreachable', async () => {
    const brief = await startEverything();
    const { id } = await registered({ source: { mcp: { url: brief.url } } });
    await brief.kill();
    expect(await call(id, 'echo {"message":"x"}')).toMatchObject({ status: 'FAILED', error: { code: 'unreachable' } });
  });
});

test.each([
  ['nothing that speaks MCP', 200, '<html>'],
  ['an error', 500, 'secret stack'],
])('a URL with %s is refused', async (_name, status, body) => {
  await using other = await startEchoServer((_request, response) => void response.writeHead(status).end(body));
  const result = await app.client.mutate(
    'registerPlugin',
    { name: 'x', source: { mcp: { url: other.url } } },
    selection,
  );
  expect(result).toMatchObject({ __typename: 'InvalidInputError', issues: [{ path: ['source', 'mcp', 'url'] }] });
  expect(result.refusal).not.toContain('secret');
});

/** Starts an MCP server with one tool that returns `content`, and answers `tools/list` with `list`. */
const startMcp = (content: object[], list: (cursor: string | undefined) => object = () => ({ tools: [tool] })) =>
  startEchoServer((request, response) => {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const { id, method, params } = JSON.parse(request.body);
    if (id === undefined) return void response.writeHead(202).end();
    const results: Record<string, () => object> = {
      initialize: () => ({
        protocolVersion: params.protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'x', version: '1' },
      }),
      'tools/list': () => list(params?.cursor),
      'tools/call': () => ({ content }),
    };
    const result = results[method]?.();
    const answer = result ? { result } : { error: { code: -32601, message: 'Method not found' } };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
  });
const tool = { name: 'paint', inputSchema: { type: 'object' } };

test('a call keeps a limited number of the files that a server returns', async () => {
  const image = { type: 'image', data: Buffer.from('x').toString('base64'), mimeType: 'image/png' };
  await using server = await startMcp(Array.from({ length: 500 }, () => image));
  const { id } = await registered({ source: { mcp: { url: server.url } } });
  const { output } = await call(id, 'paint {}');
  expect(output.match(/was added to the conversation/g)).toHaveLength(20);
  expect(output).toContain('[Further files were not kept: a call can return 20.]');
});

test('a server whose list of tools never ends is refused', async () => {
  const description = 'x'.repeat(3_000_000);
  const list = (cursor = '0') => ({
    tools: [{ ...tool, name: `paint_${cursor}`, description }],
    nextCursor: String(Number(cursor) + 1),
  });
  await using server = await startMcp([], list);
  const result = await app.client.mutate(
    'registerPlugin',
    { name: 'x', source: { mcp: { url: server.url } } },
    selection,
  );
  expect(result).toMatchObject({ __typename: 'InvalidInputError', issues: [{ path: ['source', 'mcp', 'url'] }] });
  expect(server.heard.length).toBeLessThan(12);
});
