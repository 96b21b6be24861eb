import { spawnSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type AnyEvent, all, type Client, joined, until } from '../support/client.ts';
import { mainEntry, ServerProcess } from '../support/process.ts';
import { fastTiming } from '../support/timing.ts';
import { useModel } from '../support/use-app.ts';

const model = useModel();
let server: ServerProcess;
beforeAll(async () => {
  server = await ServerProcess.prepare({ OPENAI_BASE_URL: model.baseURL });
  await server.start();
});
afterAll(() => server[Symbol.asyncDispose]());

const words = Array.from({ length: 40 }, (_, index) => `word${index} `);

/** Lets the model stall after `said` words of its first answer, and complete the later ones. */
function stallThenComplete(said: number) {
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

/** The joined deltas of each message, by message id. */
function textsOf(events: AnyEvent[]): Record<string, string> {
  const deltas = events.filter(({ __typename }) => __typename === 'MessageDelta');
  const byMessage = Object.groupBy(deltas, ({ messageId }) => messageId);
  return Object.fromEntries(Object.entries(byMessage).map(([id, pieces]) => [id, joined(pieces ?? [])]));
}

async function expectTakenOver(events: AnyEvent[], client: Client, runId: string): Promise<void> {
  const { run } = await client.data(
    'query($id: ID!) { run(id: $id) { status attempt messages { nodes { id text status incompleteReason } } } }',
    { id: runId },
  );
  expect(run).toMatchObject({ status: 'COMPLETED', attempt: 2 });
  const [lost, whole] = run.messages.nodes;
  expect(lost).toMatchObject({ status: 'INCOMPLETE', incompleteReason: 'WORKER_LOST' });
  expect(whole).toMatchObject({ status: 'COMPLETED', text: words.join('') });
  expect(textsOf(events)).toEqual({ [lost.id]: lost.text, [whole.id]: whole.text });
  expect(new Set(events.map(({ cursor }) => cursor)).size).toBe(events.length);
}

test('a run continues after its process is killed, and a subscriber with a cursor misses nothing', async () => {
  stallThenComplete(25);
  const run = await server.client.ask('Tell me');
  const before = await until(server.client.follow(run.id), ({ text = '' }) => text.includes('word24'));
  await server.end('SIGKILL');
  await server.start();
  const after = await all(server.client.follow(run.id, before.at(-1).cursor));
  await expectTakenOver([...before, ...after], server.client, run.id);
}, 60_000);

test('a server that stops on SIGTERM releases its runs immediately', async () => {
  // The lease outlives the test: only a released run can continue.
  const timing = { run: { ...fastTiming.run, leaseMs: 3_600_000 } };
  await using patient = await ServerProcess.prepare({
    OPENAI_BASE_URL: model.baseURL,
    TEST_TIMING: JSON.stringify(timing),
  });
  await patient.start();
  stallThenComplete(10);
  const run = await patient.client.ask('Tell me');
  const before = await until(patient.client.follow(run.id), ({ text = '' }) => text.includes('word9'));
  expect(await patient.end('SIGTERM')).toBe(0);
  await patient.start();
  const after = await all(patient.client.follow(run.id, before.at(-1).cursor));
  await expectTakenOver([...before, ...after], patient.client, run.id);
}, 60_000);

test('a step that completed before a kill is not repeated', async () => {
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

test('a parked run is still parked after a kill', async () => {
  const run = await server.client.ask('please call look_up', {
    model: 'demo',
    tools: [{ function: { name: 'look_up' } }],
  });
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
  'a second process on the same folder exits with one line, and the admin key file is private (embedded only)',
  async () => {
    await using server = await ServerProcess.prepare({ ADMIN_KEY: '' });
    await server.start();
    const key = await server.keptKey();
    expect(server.output).toContain(key);
    expect((await stat(join(server.dataDir, 'admin-key'))).mode & 0o777).toBe(0o600);
    const second = spawnSync(process.execPath, [mainEntry], {
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

test('an invalid setting stops the start with one line that names it, without its value', () => {
  const start = (env: Record<string, string>) => spawnSync(process.execPath, [mainEntry], { env, encoding: 'utf8' });
  const { status, stderr } = start({ ADMIN_KEY: 'too short' });
  expect([status, stderr]).toEqual([
    1,
    'ADMIN_KEY is not valid: it accepts 16 to 200 printable characters without spaces; a generated key (ag_…) must have no typing error.\n',
  ]);
  expect(start({ DEFAULT_MODEL: 'openai/gpt-5', DATA_DIR: '/nonexistent' }).stderr).toMatch(
    /^No configured provider serves the model "openai\/gpt-5"\. .*set OPENAI_API_KEY.*\n$/,
  );
});
