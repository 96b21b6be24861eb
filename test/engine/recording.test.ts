import { expect, test } from 'vitest';
import { deleteUnrecordedSteps } from '../../src/domain/run/step-recording.ts';
import { type AnyEvent, all, joined, shape } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();

const tools = [{ function: { name: 'look_up' } }];

/** A run with a call and an answer, in a workspace with this `recordSteps`. */
async function runThrough(recordSteps: string) {
  const name = `Keeps ${recordSteps}`;
  const { workspace } = await app.client.mutate('createWorkspace', { name }, 'workspace { id }');
  const client = app.in(workspace.id);
  await client.mutate('updateWorkspace', { settings: { recordSteps } }, 'workspace { id }');
  const run = await client.ask('look_up {"name": "Alice"}', { tools });
  const parked = Promise.withResolvers<void>();
  const listen = async () => {
    const heard: AnyEvent[] = [];
    for await (const event of client.follow(run.id)) {
      heard.push(event);
      if (event.status === 'REQUIRES_ACTION') parked.resolve();
    }
    return heard;
  };
  const live = listen();
  await parked.promise;
  const { requiredAction } = await client.finished(run.id, 'requiredAction { toolCalls { id arguments } }');
  expect(requiredAction.toolCalls[0].arguments).toContain('Alice');
  const outputs = [{ toolCallId: requiredAction.toolCalls[0].id, output: 'She lives in Rome.' }];
  await client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { id }');
  const call = '... on FunctionToolCall { name status arguments output }';
  const steps = `steps { nodes { type status durationMs usage { promptTokens } toolCalls { ${call} } } }`;
  const ended = await client.finished(run.id, `status usage { promptTokens } messages { nodes { text } } ${steps}`);
  return { client, run, live: await live, ended, steps };
}

test('FULL keeps everything', async () => {
  const { ended } = await runThrough('FULL');
  expect(ended.steps.nodes).toMatchObject([
    { toolCalls: [{ arguments: '{"name":"Alice"}', output: 'She lives in Rome.' }] },
    { type: 'MESSAGE_CREATION' },
  ]);
});

test('SUMMARY keeps status, timing and usage, but not the arguments and outputs of calls', async () => {
  const { client, run, live, ended } = await runThrough('SUMMARY');
  expect(ended.steps.nodes).toMatchObject([
    {
      type: 'TOOL_CALLS',
      status: 'COMPLETED',
      durationMs: expect.any(Number),
      usage: { promptTokens: expect.any(Number) },
      toolCalls: [{ name: 'look_up', status: 'COMPLETED', arguments: '', output: null }],
    },
    { type: 'MESSAGE_CREATION', usage: { promptTokens: expect.any(Number) } },
  ]);
  // A live subscriber received the arguments, a later one does not. The message belongs to the thread and stays.
  expect(live.map(({ toolCall }) => toolCall?.arguments ?? '').join('')).toContain('Alice');
  const replay = await all(client.follow(run.id));
  expect(JSON.stringify(replay)).not.toContain('Alice');
  expect(joined(replay)).toBe(ended.messages.nodes[0].text);
  const { database } = app.app.services;
  const rows = JSON.stringify([
    await database.textDelta.findMany(),
    await database.event.findMany({ where: { runId: run.id } }),
  ]);
  expect(rows).not.toMatch(/Alice|Rome/);
});

test('NONE deletes the steps of a run some time after its end', async () => {
  const { client, run, ended, steps } = await runThrough('NONE');
  expect(ended.status).toBe('COMPLETED');
  const { database } = app.app.services;
  const signal = new AbortController().signal;
  await deleteUnrecordedSteps(app.app.services, signal);
  expect((await client.data(`{ run(id: "${run.id}") { ${steps} } }`)).run.steps.nodes).toHaveLength(2);
  await database.run.updateMany({ where: { id: run.id }, data: { stepsUntil: new Date(Date.now() - 1) } });
  await deleteUnrecordedSteps(app.app.services, signal);
  const after = await client.data(
    `{ run(id: "${run.id}") { status usage { promptTokens } messages { nodes { text } } ${steps} } }`,
  );
  expect(after.run).toMatchObject({
    status: 'COMPLETED',
    usage: ended.usage,
    messages: ended.messages,
    steps: { nodes: [] },
  });
  const replay = await all(client.follow(run.id));
  expect(shape(replay).filter((name) => name.startsWith('Step'))).toEqual([]);
  expect(shape(replay).at(-1)).toBe('COMPLETED');
  expect(joined(replay)).toBe(ended.messages.nodes[0].text);
});
