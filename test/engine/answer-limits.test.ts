import { expect, test } from 'vitest';
import type { Responder } from '../support/model-server.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({
  model,
  environment: { MAX_ANSWER_BYTES: '1000', MAX_ARGUMENT_BYTES: '500', MAX_TOOL_CALLS: '3' },
});
const tools = [{ function: { name: 'look_up' } }];
const callOf = (index: number, text: string) => ({
  index,
  id: `call_${index}`,
  type: 'function',
  function: { name: 'look_up', arguments: text },
});

/** Sends first `once`, then `again` until the client closes the connection; resolves then. */
function endless(again: (respond: Responder) => unknown, once: (respond: Responder) => unknown = again) {
  const closed = Promise.withResolvers<void>();
  model.answers(async (respond) => {
    await once(respond);
    await respond.endless(() => again(respond));
    closed.resolve();
  });
  return closed.promise;
}

const selection = `status incompleteReason lastError { code }
  steps { nodes { type status lastError { code } reasoning toolCalls { status ... on FunctionToolCall { arguments } } } }
  messages { nodes { text status incompleteReason } }`;

async function outcome(input: object = {}) {
  const run = await app.client.ask('Go on', input);
  return app.client.finished(run.id, selection);
}

test('an answer that never ends ends the run INCOMPLETE: its start is kept, and the connection is closed', async () => {
  const closed = endless((respond) => respond.text('👋 你好 '));
  const run = await outcome();
  await closed;
  expect(run).toMatchObject({
    status: 'INCOMPLETE',
    incompleteReason: 'ANSWER_TOO_LONG',
    messages: { nodes: [{ status: 'INCOMPLETE', incompleteReason: 'ANSWER_TOO_LONG' }] },
  });
  const { text } = run.messages.nodes[0];
  expect('👋 你好 '.repeat(200)).toContain(text);
  expect(text.isWellFormed()).toBe(true);
  expect(Buffer.byteLength(text)).toBeGreaterThan(996);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1000);
});

test('one delta that is larger than an answer is cut within its limit', async () => {
  model.streams('x'.repeat(2000));
  const run = await outcome();
  expect(run).toMatchObject({ incompleteReason: 'ANSWER_TOO_LONG', messages: { nodes: [{ text: 'x'.repeat(1000) }] } });
});

test('an answer of exactly the limit completes', async () => {
  model.streams('x'.repeat(400), 'x'.repeat(600));
  expect(await outcome()).toMatchObject({ status: 'COMPLETED', messages: { nodes: [{ text: 'x'.repeat(1000) }] } });
});

test('reasoning that never ends ends the run INCOMPLETE', async () => {
  const closed = endless((respond) => respond.delta({ reasoning_content: 'hmm ' }));
  const run = await outcome();
  await closed;
  expect(run).toMatchObject({ status: 'INCOMPLETE', incompleteReason: 'ANSWER_TOO_LONG' });
  expect(run.steps.nodes).toMatchObject([{ reasoning: 'hmm '.repeat(250) }]);
});

test('arguments that never end end the run INCOMPLETE, and the call is not made', async () => {
  const closed = endless(
    (respond) => respond.delta({ tool_calls: [{ index: 0, function: { arguments: 'aaaaaaaaaa' } }] }),
    (respond) => respond.delta({ tool_calls: [callOf(0, '{"a":"')] }),
  );
  const run = await outcome({ tools });
  await closed;
  expect(run).toMatchObject({
    status: 'INCOMPLETE',
    incompleteReason: 'ARGUMENTS_TOO_LONG',
    steps: { nodes: [{ type: 'TOOL_CALLS', status: 'FAILED', lastError: { code: 'arguments_too_long' } }] },
  });
  const [call] = run.steps.nodes[0].toolCalls;
  expect(call).toMatchObject({ status: 'FAILED' });
  expect(Buffer.byteLength(call.arguments)).toBe(500);
});

test('text after calls, which is dropped, counts as well', async () => {
  const closed = endless(
    (respond) => respond.text('and so on '),
    (respond) => respond.delta({ tool_calls: [callOf(0, '{}')] }),
  );
  expect(await outcome({ tools })).toMatchObject({
    status: 'INCOMPLETE',
    incompleteReason: 'ANSWER_TOO_LONG',
    steps: { nodes: [{ status: 'FAILED', lastError: { code: 'answer_too_long' }, toolCalls: [{ status: 'FAILED' }] }] },
  });
  await closed;
});

/** Answers with calls first, then with text. */
function calls(count: number, text = '{}'): void {
  model.answers(
    async (respond) => {
      for (let index = 0; index < count; index += 1) await respond.delta({ tool_calls: [callOf(index, text)] });
      await respond.end('tool_calls');
    },
    async (respond) => {
      await respond.text('Fine.');
      await respond.end();
    },
  );
}

async function answerCalls(runId: string): Promise<number> {
  const { requiredAction } = await app.client.finished(runId, 'requiredAction { toolCalls { id } }');
  const outputs = requiredAction.toolCalls.map(({ id }: { id: string }) => ({ toolCallId: id, output: 'found' }));
  await app.client.mutate('submitToolOutputs', { runId, outputs }, 'run { id }');
  return outputs.length;
}

test('calls beyond the limit are not made, and the next prompt states their number', async () => {
  calls(8);
  const run = await app.client.ask('Look up', { tools });
  expect(await answerCalls(run.id)).toBe(3);
  expect(await app.client.finished(run.id, selection)).toMatchObject({
    status: 'COMPLETED',
    messages: { nodes: [{ text: 'Fine.' }] },
  });
  const [, assistant, ...outputs] = model.requests[1]?.messages ?? [];
  expect(assistant?.tool_calls).toHaveLength(3);
  expect(outputs.map(({ role }) => role)).toEqual(['tool', 'tool', 'tool']);
  expect(outputs.map(({ content }) => content)).toEqual([
    'found',
    'found',
    'found\n[Error: 5 further calls of this answer were not made. An answer can contain 3 calls. Make the others in the next answers.]',
  ]);
});

test('the arguments of calls that are not made count as well', async () => {
  calls(20, JSON.stringify({ a: 'x'.repeat(40) }));
  expect(await outcome({ tools })).toMatchObject({ status: 'INCOMPLETE', incompleteReason: 'ARGUMENTS_TOO_LONG' });
});

test('the name of a tool that the model invents is cut, and counts as arguments', async () => {
  const called = (length: number) => ({ ...callOf(0, '{}'), function: { name: 'n'.repeat(length), arguments: '{}' } });
  const closed = endless(
    () => {},
    (respond) => respond.delta({ tool_calls: [called(5000)] }),
  );
  expect(await outcome({ tools })).toMatchObject({ status: 'INCOMPLETE', incompleteReason: 'ARGUMENTS_TOO_LONG' });
  await closed;
  model.answers(
    async (respond) => {
      const call = called(300);
      await respond.delta({ tool_calls: [call] });
      await respond.end('tool_calls');
    },
    async (respond) => {
      await respond.text('Fine.');
      await respond.end();
    },
  );
  expect(await outcome({ tools })).toMatchObject({ status: 'COMPLETED' });
  const [call] = (model.requests[1]?.messages[1]?.tool_calls ?? []) as Array<{ function: { name: string } }>;
  expect(call?.function.name).toBe('n'.repeat(64));
});
