import { spawnSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { type AnyEvent, all, joined, until } from '../support/client.ts';
import { ModelServer } from '../support/model-server.ts';
import { ServerProcess } from '../support/process.ts';

const words = Array.from({ length: 40 }, (_, index) => `word${index} `);

/** Answers the first request word by word and never ends it; answers those after it at once. */
function stuckThenWhole(model: ModelServer, said: number) {
  model.answers(
    async (respond) => {
      for (const word of words.slice(0, said)) await respond.text(word);
    },
    async (respond) => {
      for (const word of words) await respond.text(word);
      await respond.end();
    },
  );
}

/** The texts that the deltas of each message come to, by message. */
function textsOf(events: AnyEvent[]): Record<string, string> {
  const deltas = events.filter(({ __typename }) => __typename === 'MessageDelta');
  const byMessage = Object.groupBy(deltas, ({ messageId }) => messageId);
  return Object.fromEntries(Object.entries(byMessage).map(([id, pieces]) => [id, joined(pieces ?? [])]));
}

async function expectTold(events: AnyEvent[], server: ServerProcess, runId: string): Promise<void> {
  const { run } = await server.client.data(
    'query($id: ID!) { run(id: $id) { status attempt messages { nodes { id text status incompleteReason } } } }',
    { id: runId },
  );
  expect(run).toMatchObject({ status: 'COMPLETED', attempt: 2 });
  const [lost, whole] = run.messages.nodes;
  expect(lost).toMatchObject({ status: 'INCOMPLETE', incompleteReason: 'worker_lost' });
  expect(whole).toMatchObject({ status: 'COMPLETED', text: words.join('') });
  expect(textsOf(events)).toEqual({ [lost.id]: lost.text, [whole.id]: whole.text });
  expect(new Set(events.map(({ cursor }) => cursor)).size).toBe(events.length);
}

test('a run goes on after its process was killed, and a follower with a cursor sees no gap', async () => {
  await using model = await ModelServer.start();
  await using server = await ServerProcess.prepare({ OPENAI_BASE_URL: model.baseURL });
  await server.start();
  stuckThenWhole(model, 25);
  const run = await server.client.ask('Tell me');
  const before = await until(server.client.follow(run.id), ({ text = '' }) => text.includes('word24'));
  await server.end('SIGKILL');
  await server.start();
  const after = await all(server.client.follow(run.id, before.at(-1).cursor));
  await expectTold([...before, ...after], server, run.id);
}, 60_000);

test('a server that is asked to stop hands its runs back at once', async () => {
  await using model = await ModelServer.start();
  await using server = await ServerProcess.prepare({ OPENAI_BASE_URL: model.baseURL });
  await server.start();
  stuckThenWhole(model, 10);
  const run = await server.client.ask('Tell me');
  const before = await until(server.client.follow(run.id), ({ text = '' }) => text.includes('word9'));
  expect(await server.end('SIGTERM')).toBe(0);
  await server.start();
  const restarted = Date.now();
  const after = await all(server.client.follow(run.id, before.at(-1).cursor));
  expect(Date.parse(after.at(-1).at) - restarted).toBeLessThan(9000);
  await expectTold([...before, ...after], server, run.id);
}, 60_000);

test('a step that was finished before a kill is not done again', async () => {
  await using model = await ModelServer.start();
  await using server = await ServerProcess.prepare({ OPENAI_BASE_URL: model.baseURL });
  await server.start();
  const call = { index: 0, id: 'c', type: 'function', function: { name: 'pay', arguments: '{}' } };
  model.answers(
    async (respond) => {
      await respond.delta({ role: 'assistant', tool_calls: [call] });
      await respond.end('tool_calls');
    },
    async (respond) => respond.text('Half'),
    async (respond) => {
      await respond.text('Paid.');
      await respond.end();
    },
  );
  const run = await server.client.ask('Pay', { tools: [{ function: { name: 'pay' } }] });
  const { requiredAction } = await server.client.finished(run.id, 'requiredAction { toolCalls { id } }');
  const outputs = [{ toolCallId: requiredAction.toolCalls[0].id, output: 'receipt 42' }];
  await server.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { id }');
  await until(server.client.follow(run.id), ({ text }) => text === 'Half');
  await server.end('SIGKILL');
  await server.start();
  const steps = 'status attempt steps { nodes { type status toolCalls { ... on FunctionToolCall { output } } } }';
  expect(await server.client.finished(run.id, steps)).toMatchObject({
    status: 'COMPLETED',
    attempt: 2,
    steps: {
      nodes: [
        { type: 'TOOL_CALLS', status: 'COMPLETED', toolCalls: [{ output: 'receipt 42' }] },
        { type: 'MESSAGE_CREATION', status: 'FAILED' },
        { type: 'MESSAGE_CREATION', status: 'COMPLETED' },
      ],
    },
  });
  expect(model.requests).toHaveLength(3);
  expect(model.requests[2]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool']);
  expect(model.requests[2]?.messages.at(-1)).toMatchObject({ content: 'receipt 42' });
}, 60_000);

test('a run that waits for tool outputs still waits after a kill', async () => {
  await using server = await ServerProcess.prepare({});
  await server.start();
  const run = await server.client.ask('please call look_up', { tools: [{ function: { name: 'look_up' } }] });
  expect(await server.client.finished(run.id)).toMatchObject({ status: 'REQUIRES_ACTION' });
  await server.end('SIGKILL');
  await server.start();
  const { requiredAction } = await server.client.finished(run.id, 'requiredAction { toolCalls { id } }');
  const outputs = [{ toolCallId: requiredAction.toolCalls[0].id, output: 'found' }];
  await server.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { id }');
  const done = await server.client.finished(run.id, 'status attempt messages { nodes { text } }');
  expect(done).toMatchObject({
    status: 'COMPLETED',
    attempt: 1,
    messages: { nodes: [{ text: 'look_up answered: found' }] },
  });
}, 60_000);

test.skipIf(inject('postgres') !== null)(
  'a second process on the same folder is refused in one line, and the key is kept for its owner alone (embedded only)',
  async () => {
    await using server = await ServerProcess.prepare({ ADMIN_KEY: '' });
    await server.start();
    const key = await server.keptKey();
    expect(server.output).toContain(key);
    expect((await stat(join(server.dataDir, 'admin-key'))).mode & 0o777).toBe(0o600);
    const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
    const second = spawnSync(process.execPath, [main], {
      env: { DATA_DIR: server.dataDir, PORT: '0' },
      encoding: 'utf8',
    });
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/is in use by process \d+\. The embedded database supports one process: .*\n$/);
    expect(second.stderr.trim().split('\n')).toHaveLength(1);
    await server.end('SIGKILL');
    await server.start();
    expect(await server.keptKey()).toBe(key);
  },
  60_000,
);

test('a bad setting stops the start with one line that names it and never its value', () => {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const start = (env: Record<string, string>) => spawnSync(process.execPath, [main], { env, encoding: 'utf8' });
  const { status, stderr } = start({ ADMIN_KEY: 'too short' });
  expect([status, stderr]).toEqual([
    1,
    'ADMIN_KEY is not valid: it accepts 16 to 200 printable characters without spaces; a generated key (ag_…) must have no typing error.\n',
  ]);
  expect(start({ DEFAULT_MODEL: 'openai/gpt-5', DATA_DIR: '/nonexistent' }).stderr).toMatch(
    /^No configured provider serves the model "openai\/gpt-5"\. .*set OPENAI_API_KEY.*\n$/,
  );
});
