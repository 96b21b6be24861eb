import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { all, type Client, until } from '../support/client.ts';
import { type EchoServer, startEchoServer } from '../support/echo-server.ts';
import { ServerProcess } from '../support/process.ts';
import { useApp } from '../support/use-app.ts';

let server: EchoServer;
/** Responses that the server holds back until `letGo`. */
let held: Array<() => void> = [];

const operations = ['get_fast', 'get_slow', 'get_broken', 'post_slow'];
const document = JSON.stringify({
  openapi: '3.0.3',
  info: { title: 'Speed', version: '1' },
  paths: Object.fromEntries(
    operations.map((name) => [
      `/${name}`,
      { [name.split('_')[0] as string]: { operationId: name, responses: { 200: { description: 'x' } } } },
    ]),
  ),
});

function answer({ url }: { url: string }, response: ServerResponse): void {
  response.setHeader('content-type', 'text/plain');
  if (url.includes('broken')) response.writeHead(500).end('broken');
  else if (url.includes('slow')) held.push(() => response.end('slow'));
  else response.end('fast');
}

const app = useApp({ environment: { PLUGIN_HOSTS: '127.0.0.1' } });
beforeAll(async () => {
  server = await startEchoServer(answer);
});
afterAll(() => server.close());

async function register(client: Client): Promise<object> {
  const input = { name: 'Speed', source: { openapi: { document } }, serverUrl: server.url };
  const { plugin } = await client.mutate('registerPlugin', input, 'plugin { id }');
  return { plugin: { pluginId: plugin.id } };
}

const letGo = () => {
  for (const go of held.splice(0)) go();
};
const selection =
  'status attempt steps { nodes { type status toolCalls { index status error { code message } ... on PluginToolCall { operation output } } } } messages { nodes { text } }';

describe('parallel calls', () => {
  test('run concurrently; a failed one does not affect the others; the model gets all outputs in order', async () => {
    held = [];
    const run = await app.client.ask('get_slow get_broken get_fast', { tools: [await register(app.client)] });
    const events = app.client.follow(run.id);
    // The fast call has its output while the slow one is still open.
    await until(events, ({ toolCall }) => toolCall?.output === 'fast');
    expect(held).toHaveLength(1);
    letGo();
    const { status, steps, messages } = await app.client.finished(run.id, selection);
    expect(status).toBe('COMPLETED');
    expect(steps.nodes[0].toolCalls).toMatchObject([
      { index: 0, operation: 'get_fast', status: 'COMPLETED', output: 'fast' },
      { index: 1, operation: 'get_slow', status: 'COMPLETED', output: 'slow' },
      { index: 2, operation: 'get_broken', status: 'FAILED', output: 'broken', error: { code: 'http_error' } },
    ]);
    expect(messages.nodes[0].text.split('\n').map((line: string) => line.split(' ')[0])).toEqual([
      'get_fast',
      'get_slow',
      'get_broken',
      'Speed',
    ]);
  });

  test('have times of their own, and the first token of the run is that of its first step', async () => {
    held = [];
    const run = await app.client.ask('get_slow get_fast', { tools: [await register(app.client)] });
    await until(app.client.follow(run.id), ({ toolCall }) => toolCall?.output === 'fast');
    letGo();
    const { firstTokenAt, steps } = await app.client.finished(
      run.id,
      'firstTokenAt steps { nodes { startedAt endedAt toolCalls { startedAt endedAt durationMs } } }',
    );
    const [calling, answering] = steps.nodes;
    expect(firstTokenAt <= calling.endedAt && firstTokenAt < answering.startedAt).toBe(true);
    for (const { startedAt, endedAt, durationMs } of calling.toolCalls) {
      expect(startedAt >= calling.startedAt && endedAt <= calling.endedAt).toBe(true);
      expect(durationMs).toBe(Date.parse(endedAt) - Date.parse(startedAt));
    }
  });

  test('are limited in number', async () => {
    held = [];
    const plugins: object[] = [];
    // One at a time: reading a document has a time limit.
    while (plugins.length < 12) plugins.push(await register(app.client));
    const words = ['get_slow', ...Array.from({ length: 11 }, (_, index) => `get_slow_${index + 2}`)].join(' ');
    const run = await app.client.ask(words, { tools: plugins });
    await expect.poll(() => held.length).toBe(8);
    letGo();
    await expect.poll(() => held.length).toBe(4);
    letGo();
    const { steps } = await app.client.finished(run.id, selection);
    expect(steps.nodes[0].toolCalls.map(({ output }: { output: string }) => output)).toEqual(Array(12).fill('slow'));
  });

  test('may mix server and client tools: server tools run first, then the run parks', async () => {
    held = [];
    const tools = [await register(app.client), { function: { name: 'ask_me' } }];
    const run = await app.client.ask('get_fast ask_me', { tools });
    const { status, requiredAction, steps } = await app.client.finished(
      run.id,
      `${selection} requiredAction { toolCalls { id name } }`,
    );
    expect(status).toBe('REQUIRES_ACTION');
    expect(requiredAction.toolCalls).toMatchObject([{ name: 'ask_me' }]);
    expect(steps.nodes[0].toolCalls.filter(({ output }: { output: string }) => output === 'fast')).toHaveLength(1);
    const outputs = [{ toolCallId: requiredAction.toolCalls[0].id, output: 'mine' }];
    await app.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { id }');
    const { messages } = await app.client.finished(run.id, selection);
    expect(messages.nodes[0].text).toContain('mine');
    expect(messages.nodes[0].text).toContain('fast');
  });
});

test('cancelling a run during a call ends both immediately', async () => {
  held = [];
  const run = await app.client.ask('get_slow', { tools: [await register(app.client)] });
  await expect.poll(() => held.length).toBe(1);
  await app.client.mutate('cancelRun', { id: run.id }, 'run { id }');
  const { status, steps } = await app.client.finished(run.id, selection);
  expect([status, steps.nodes[0].toolCalls[0].status]).toEqual(['CANCELLED', 'CANCELLED']);
});

test('the deltas of a call add up to its stored output', async () => {
  const run = await app.client.ask('get_fast', { tools: [await register(app.client)] });
  const events = await all(app.client.follow(run.id));
  expect(events.flatMap(({ toolCall }) => toolCall?.output ?? []).join('')).toBe('fast');
  const resumed = await all(app.client.follow(run.id));
  expect(resumed.flatMap(({ toolCall }) => toolCall?.output ?? []).join('')).toBe('fast');
  expect(resumed.find(({ toolCall }) => toolCall)?.toolCall.kind).toBe('PLUGIN');
});

describe('when a worker dies during calls', () => {
  test('completed calls are not repeated, idempotent ones are, and the outcome of others is reported as unknown', async () => {
    held = [];
    await using instance = await ServerProcess.prepare({ PLUGIN_HOSTS: '127.0.0.1', MODEL_RETRIES: '0' });
    await instance.start();
    const run = await instance.client.ask('get_fast get_slow post_slow', { tools: [await register(instance.client)] });
    await expect.poll(() => held.length).toBe(2);
    // A call's output may be published shortly before its end is stored.
    const stored = 'query($id: ID!) { run(id: $id) { steps { nodes { toolCalls { status } } } } }';
    await expect
      .poll(async () => JSON.stringify((await instance.client.data(stored, { id: run.id })).run.steps))
      .toContain('COMPLETED');
    const before = server.heard.length;
    await instance.end('SIGKILL');
    held = [];
    await instance.start();
    await expect.poll(() => held.length, { timeout: 30_000 }).toBe(1);
    expect(server.heard.slice(before).map(({ url }) => url)).toEqual(['/get_slow']);
    letGo();
    const { status, attempt, steps, messages } = await instance.client.finished(run.id, selection);
    expect([status, attempt, steps.nodes.length]).toEqual(['COMPLETED', 2, 2]);
    expect(steps.nodes[0].toolCalls).toMatchObject([
      { operation: 'get_fast', status: 'COMPLETED', output: 'fast' },
      { operation: 'get_slow', status: 'COMPLETED', output: 'slow' },
      { operation: 'post_slow', status: 'FAILED', error: { code: 'OUTCOME_UNKNOWN' } },
    ]);
    expect(messages.nodes[0].text).toContain('may or may not have taken effect');
  }, 60_000);
});

test.skipIf(inject('postgres') === null)(
  'a file uploaded to one instance is used by another (needs PostgreSQL)',
  async () => {
    await using one = await ServerProcess.prepare({ ROLE: 'api' });
    const folder = `${one.dataDir}/shared`;
    const api = one.with({ ROLE: 'api', FILES_DIR: folder });
    const worker = one.with({ ROLE: 'worker', FILES_DIR: folder });
    await api.start();
    await worker.start();
    const { upload } = await import('../support/upload.ts');
    const file = await upload(api.client, 'from the other side', 'note.txt');
    const run = await api.client.ask('', {
      tools: [{ codeInterpreter: {} }],
      thread: { fileIds: [file.id], messages: [{ text: 'python: print(open("note.txt").read())' }] },
    });
    const { steps } = await api.client.finished(
      run.id,
      'steps { nodes { toolCalls { ... on CodeInterpreterToolCall { logs } } } }',
    );
    expect(steps.nodes[0].toolCalls[0].logs).toBe('from the other side\n');
    await api.end('SIGTERM');
    await worker.end('SIGTERM');
  },
);
