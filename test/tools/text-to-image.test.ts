import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type EchoServer, type HeardRequest, startEchoServer } from '../support/echo-server.ts';

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
let provider: EchoServer;
let answer: (request: HeardRequest, response: ServerResponse) => void;

beforeAll(async () => {
  provider = await startEchoServer((request, response) => answer(request, response));
});
afterAll(() => provider.close());

const json = (response: ServerResponse, body: object, status = 200) =>
  void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));

async function draw(app: TestApp, words = 'draw 一只猫 in the rain', tool: object = {}) {
  const run = await app.client.ask(words, { model: 'demo', tools: [{ textToImage: tool }] });
  const { status, steps, messages } = await app.client.finished(
    run.id,
    `status steps { nodes { toolCalls { status error { code message retryable } ... on TextToImageToolCall { prompt images { name mimeType sizeBytes url } } } } }
     messages { nodes { text content { __typename ... on ImageContent { url file { name } } } } }`,
  );
  return { status, call: steps.nodes[0].toolCalls[0], message: messages.nodes[0] };
}

describe('an OpenAI-compatible provider', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({
      OPENAI_BASE_URL: `${provider.url}/v1`,
      IMAGE_MODEL: 'openai/painter',
      DEFAULT_MODEL: 'demo',
    });
  });
  afterAll(() => app.stop());

  test('draws an image, which is stored and shown in the step and the answer', async () => {
    answer = (_request, response) => json(response, { created: 1, data: [{ b64_json: png.toString('base64') }] });
    const { status, call, message } = await draw(app, undefined, { size: '512x512' });
    expect(status).toBe('COMPLETED');
    expect(call).toMatchObject({
      status: 'COMPLETED',
      prompt: '一只猫 in the rain',
      images: [{ name: 'image-1.png', mimeType: 'image/png', sizeBytes: png.length }],
    });
    expect(Buffer.from(await (await fetch(call.images[0].url)).arrayBuffer()).equals(png)).toBe(true);
    expect(message.content).toMatchObject([
      { __typename: 'TextContent' },
      { __typename: 'ImageContent', file: { name: 'image-1.png' } },
    ]);
    expect((await fetch(message.content[1].url)).status).toBe(200);
    const request = provider.heard.at(-1);
    expect(request?.url).toBe('/v1/images/generations');
    expect(JSON.parse(request?.body ?? '')).toMatchObject({
      model: 'painter',
      prompt: '一只猫 in the rain',
      n: 1,
      size: '512x512',
    });
  });

  test.each([
    [
      'refuses',
      (response: ServerResponse) => json(response, { error: { message: 'Not that.', type: 'x', code: 'x' } }, 400),
      'invalid_request',
      /Not that/,
    ],
    [
      'refuses the key',
      (response: ServerResponse) => json(response, { error: { message: 'bad sk-1234567890' } }, 401),
      'provider_unauthorized',
      /rejected the server's API key/,
    ],
    [
      'exceeds the rate limit',
      (response: ServerResponse) => json(response, { error: { message: 'slow down' } }, 429),
      'rate_limit_exceeded',
      /rate limit or quota exceeded/,
    ],
    [
      'returns data that is not an image',
      (response: ServerResponse) =>
        json(response, { created: 1, data: [{ b64_json: Buffer.from('<svg/>').toString('base64') }] }),
      'server_error',
      /not a supported image/,
    ],
    [
      'never ends',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const timer = setInterval(() => response.write('x'.repeat(1_000_000)), 1);
        response.once('close', () => clearInterval(timer));
      },
      'response_too_large',
      /more than 32000000 bytes/,
    ],
    [
      'breaks off',
      (response: ServerResponse) => void response.destroy(),
      'provider_unreachable',
      /could not be reached/,
    ],
  ])('that %s fails the call, but not the run', async (_name, how, code, why) => {
    answer = (_request, response) => how(response);
    const { status, call } = await draw(app);
    expect(status).toBe('COMPLETED');
    expect(call).toMatchObject({ status: 'FAILED', images: [], error: { code, message: expect.stringMatching(why) } });
    expect(call.error.message).not.toContain('sk-1234567890');
  });

  test('is aborted when the run is cancelled', async () => {
    let left = false;
    answer = (_request, response) => void response.on('close', () => (left = true));
    const run = await app.client.ask('draw a cat', { model: 'demo', tools: [{ textToImage: {} }] });
    await expect.poll(() => provider.heard.length).toBeGreaterThan(0);
    const before = provider.heard.length;
    await expect.poll(() => provider.heard.length >= before).toBe(true);
    await app.client.mutate('cancelRun', { id: run.id }, 'run { id }');
    expect(await app.client.finished(run.id)).toMatchObject({ status: 'CANCELLED' });
    await expect.poll(() => left || !provider.heard.at(-1)?.body.includes('a cat')).toBe(true);
  });
});

describe('DashScope', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp({
      DASHSCOPE_API_KEY: 'key',
      DASHSCOPE_BASE_URL: `${provider.url}/compatible-mode/v1`,
      DEFAULT_MODEL: 'demo',
    });
  });
  afterAll(() => app.stop());

  test('draws with Qwen-Image, which responds synchronously', async () => {
    answer = (request, response) => {
      if (request.method === 'GET') return void response.end(png);
      json(response, { output: { choices: [{ message: { content: [{ image: `${provider.url}/image.png` }] } }] } });
    };
    const { call } = await draw(app, 'draw a tree', { size: '1328x1328' });
    expect(call).toMatchObject({ status: 'COMPLETED', images: [{ mimeType: 'image/png' }] });
    const request = provider.heard.findLast(({ method }) => method === 'POST');
    expect(request?.url).toBe('/api/v1/services/aigc/multimodal-generation/generation');
    expect(JSON.parse(request?.body ?? '')).toMatchObject({ model: 'qwen-image', parameters: { size: '1328*1328' } });
  });

  test('draws with Wan, which creates a task', async () => {
    let looks = 0;
    answer = (request, response) => {
      if (request.url.endsWith('.png')) return void response.end(png);
      if (request.method === 'POST') return json(response, { output: { task_id: 't1', task_status: 'PENDING' } });
      looks += 1;
      json(response, {
        output: {
          task_id: 't1',
          ...(looks < 2
            ? { task_status: 'RUNNING' }
            : { task_status: 'SUCCEEDED', results: [{ url: `${provider.url}/a.png` }] }),
        },
      });
    };
    const { call } = await draw(app, 'draw a tree', { model: 'alibaba/wan2.2-t2i-flash' });
    expect(call).toMatchObject({ status: 'COMPLETED', images: [{ name: 'image-1.png' }] });
    expect(provider.heard.find(({ url }) => url.endsWith('image-synthesis'))?.headers['x-dashscope-async']).toBe(
      'enable',
    );
  });

  test('that names an image at an address that is not public is refused', async () => {
    await using other = await startEchoServer((_request, response) => void response.end(png));
    answer = (_request, response) =>
      json(response, { output: { choices: [{ message: { content: [{ image: `${other.url}/image.png` }] } }] } });
    const { call } = await draw(app, 'draw a tree');
    expect(call).toMatchObject({ status: 'FAILED', error: { message: expect.stringContaining('not public') } });
    expect(other.heard).toEqual([]);
  });

  test('whose image never ends fails the call', async () => {
    answer = (request, response) => {
      if (request.method === 'POST') {
        const image = `${provider.url}/image.png`;
        return json(response, { output: { choices: [{ message: { content: [{ image }] } }] } });
      }
      response.write(png);
      const timer = setInterval(() => response.write(Buffer.alloc(1_000_000)), 1);
      response.once('close', () => clearInterval(timer));
    };
    const { call } = await draw(app, 'draw a tree');
    expect(call).toMatchObject({
      status: 'FAILED',
      error: { message: expect.stringContaining('larger than 20000000 bytes') },
    });
  });

  test('that answers more images than were asked for keeps those that were', async () => {
    answer = (request, response) => {
      if (request.method === 'GET') return void response.end(png);
      const content = Array.from({ length: 50 }, () => ({ image: `${provider.url}/image.png` }));
      json(response, { output: { choices: [{ message: { content } }] } });
    };
    const { call } = await draw(app, 'draw a tree');
    expect(call).toMatchObject({ status: 'COMPLETED', images: [{ name: 'image-1.png' }] });
  });

  test('that answers nonsense fails the call', async () => {
    answer = (_request, response) => void response.end('<html>');
    const { call } = await draw(app, 'draw a tree');
    expect(call).toMatchObject({ status: 'FAILED', error: { code: 'stream_broken' } });
  });

  test('that refuses a task is reported with its message', async () => {
    answer = (request, response) =>
      request.method === 'POST'
        ? json(response, { output: { task_id: 't', task_status: 'PENDING' } })
        : json(response, {
            output: {
              task_id: 't',
              task_status: 'FAILED',
              code: 'DataInspectionFailed',
              message: 'Inappropriate content.',
            },
          });
    const { call } = await draw(app, 'draw a tree', { model: 'alibaba/wanx2.1-t2i-turbo' });
    expect(call).toMatchObject({
      status: 'FAILED',
      error: { message: expect.stringContaining('Inappropriate content.') },
    });
  });
});

test('the demo draws when it is selected by name', async () => {
  await using app = await startTestApp({ IMAGE_MODEL: 'demo' });
  const { call } = await draw(app);
  expect(call).toMatchObject({ status: 'COMPLETED', images: [{ mimeType: 'image/png' }] });
});

test('without an image model the tool is refused with the name of the setting', async () => {
  await using app = await startTestApp();
  const refuse = (tool: object) =>
    app.client.mutate('createAssistant', { tools: [{ textToImage: tool }] }, 'assistant { id }');
  expect(await refuse({})).toMatchObject({
    code: 'INVALID_INPUT',
    issues: [{ message: expect.stringContaining('IMAGE_MODEL') }],
  });
  expect(await refuse({ model: 'openai/x' })).toMatchObject({
    issues: [{ message: expect.stringContaining('OPENAI_API_KEY') }],
  });
  expect(await refuse({ size: 'large' })).toMatchObject({ code: 'INVALID_INPUT' });
});
