import { expect, test } from 'vitest';
import { type AnyEvent, all, joined, shape, until } from '../support/client.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });

const tools = [
  {
    function: {
      name: 'get_weather',
      description: 'The weather',
      parameters: { type: 'object', properties: { city: { type: 'string' } } },
    },
  },
  { function: { name: 'get_time' } },
];
const call = (index: number, id: string, name: string, text: string) => ({
  index,
  id,
  type: 'function',
  function: { name, arguments: text },
});
const more = (index: number, text: string) => ({ index, function: { arguments: text } });

function twoCallsThenAnswer() {
  model.answers(
    async (respond) => {
      await respond.delta({ role: 'assistant', tool_calls: [call(0, 'a', 'get_weather', '')] });
      await respond.delta({ tool_calls: [more(0, '{"city":')] });
      await respond.delta({ tool_calls: [call(1, 'b', 'get_time', '{}')] });
      await respond.delta({ tool_calls: [more(0, '"北京"}')] });
      await respond.end('tool_calls');
    },
    async (respond) => {
      await respond.text('It is sunny.');
      await respond.end();
    },
  );
}

const waiting = 'status requiredAction { toolCalls { id name arguments output status } }';

test('a run parks for tool outputs and continues with them in the same event sequence', async () => {
  twoCallsThenAnswer();
  const run = await app.client.ask('Weather and time?', { tools });
  const { requiredAction, ...asked } = await app.client.finished(run.id, waiting);
  expect(asked).toMatchObject({ status: 'REQUIRES_ACTION' });
  const calls = requiredAction.toolCalls;
  expect(calls).toMatchObject([
    { name: 'get_weather', arguments: '{"city":"北京"}', output: null, status: 'IN_PROGRESS' },
    { name: 'get_time', arguments: '{}', output: null, status: 'IN_PROGRESS' },
  ]);
  const before = await until(app.client.follow(run.id), ({ status }) => status === 'REQUIRES_ACTION');
  expect(shape(before)).toEqual(['QUEUED', 'IN_PROGRESS', 'StepStarted', 'StepDelta', 'REQUIRES_ACTION']);
  const piecesOf = (events: AnyEvent[], id: string, field: string) =>
    events.flatMap(({ toolCall }) => (toolCall?.id === id && toolCall[field] ? [toolCall[field]] : [])).join('');
  expect(piecesOf(before, calls[0].id, 'arguments')).toBe('{"city":"北京"}');

  const outputs = [
    { toolCallId: calls[1].id, output: '12:00' },
    { toolCallId: calls[0].id, output: 'sunny' },
  ];
  const submitted = await app.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { status }');
  expect(submitted.run.status).toBe('QUEUED');
  const after = await all(app.client.follow(run.id, before.at(-1).cursor));
  expect(shape(after)).toEqual([
    'StepDelta',
    'StepEnded',
    'QUEUED',
    'IN_PROGRESS',
    'StepStarted',
    'MessageStarted',
    'MessageDelta',
    'MessageEnded',
    'StepEnded',
    'COMPLETED',
  ]);
  expect(piecesOf(after, calls[0].id, 'output')).toBe('sunny');
  expect(joined(after)).toBe('It is sunny.');
  expect(model.requests[1]?.messages.slice(-3)).toMatchObject([
    { role: 'assistant', tool_calls: [{ function: { name: 'get_weather' } }, { function: { name: 'get_time' } }] },
    { role: 'tool', content: 'sunny' },
    { role: 'tool', content: '12:00' },
  ]);
});

test('missing, extra, repeated or late tool outputs are refused and change nothing', async () => {
  twoCallsThenAnswer();
  const run = await app.client.ask('Weather and time?', { tools });
  const { requiredAction } = await app.client.finished(run.id, waiting);
  const [one, two] = requiredAction.toolCalls.map(({ id }: { id: string }) => ({ toolCallId: id, output: 'x' }));
  const submit = (outputs: object[]) =>
    app.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { status }');
  expect(await submit([one])).toMatchObject({ __typename: 'InvalidInputError', issues: [{ path: ['outputs'] }] });
  expect(await submit([one, two, two])).toMatchObject({
    __typename: 'InvalidInputError',
    issues: [{ path: ['outputs', '2', 'toolCallId'] }],
  });
  expect(await submit([one, two, { toolCallId: 'call_x', output: '' }])).toMatchObject({
    __typename: 'InvalidInputError',
  });
  expect(await app.client.finished(run.id)).toMatchObject({ status: 'REQUIRES_ACTION' });
  const answers = await Promise.all([submit([one, two]), submit([one, two])]);
  expect(answers.map(({ __typename }) => __typename).sort()).toEqual([
    'RunNotWaitingError',
    'SubmitToolOutputsPayload',
  ]);
  expect(await app.client.finished(run.id)).toMatchObject({ status: 'COMPLETED' });
  expect(await submit([one, two])).toMatchObject({ __typename: 'RunNotWaitingError' });
});

test('a call that no client can answer returns an error to the model', async () => {
  model.answers(
    async (respond) => {
      await respond.delta({
        role: 'assistant',
        tool_calls: [call(0, 'a', 'no_such_tool', '{}'), call(1, 'b', 'get_time', '{broken')],
      });
      await respond.end('tool_calls');
    },
    async (respond) => {
      await respond.text('I cannot.');
      await respond.end();
    },
  );
  const run = await app.client.ask('Try', { tools });
  expect(
    await app.client.finished(run.id, 'status steps { nodes { type status toolCalls { status error { code } } } }'),
  ).toMatchObject({
    status: 'COMPLETED',
    steps: {
      nodes: [
        {
          type: 'TOOL_CALLS',
          status: 'COMPLETED',
          toolCalls: [{ status: 'FAILED', error: { code: 'invalid_tool_call' } }, { status: 'FAILED' }],
        },
        { type: 'MESSAGE_CREATION' },
      ],
    },
  });
  expect(JSON.stringify(model.requests[1]?.messages)).toContain('There is no tool named no_such_tool');
});

test('a run whose model never stops calling tools ends at maxSteps', async () => {
  model.answers(async (respond) => {
    await respond.delta({ role: 'assistant', tool_calls: [call(0, 'a', 'no_such_tool', '{}')] });
    await respond.end('tool_calls');
  });
  const run = await app.client.ask('Loop', { tools, maxSteps: 3 });
  expect(await app.client.finished(run.id, 'status incompleteReason steps { totalCount }')).toMatchObject({
    status: 'INCOMPLETE',
    incompleteReason: 'MAX_STEPS',
    steps: { totalCount: 3 },
  });
});

test('a run that used up maxPromptTokens ends before the next answer', async () => {
  model.answers(async (respond) => {
    await respond.delta({ role: 'assistant', tool_calls: [call(0, 'a', 'no_such_tool', '{}')] });
    await respond.end('tool_calls', { prompt_tokens: 90, completion_tokens: 5, total_tokens: 95 });
  });
  const run = await app.client.ask('Loop', { tools, maxPromptTokens: 100 });
  expect(await app.client.finished(run.id, 'status incompleteReason usage { promptTokens }')).toMatchObject({
    status: 'INCOMPLETE',
    incompleteReason: 'MAX_PROMPT_TOKENS',
    usage: { promptTokens: 90 },
  });
  expect(model.requests).toHaveLength(1);
});

test('an answer with text and calls makes two steps', async () => {
  model.answers(
    async (respond) => {
      await respond.text('Let me look.');
      await respond.delta({ tool_calls: [call(0, 'a', 'get_time', '{}')] });
      await respond.end('tool_calls');
    },
    async (respond) => {
      await respond.text('Noon.');
      await respond.end();
    },
  );
  const run = await app.client.ask('Time?', { tools });
  const { requiredAction } = await app.client.finished(run.id, waiting);
  await app.client.mutate(
    'submitToolOutputs',
    { runId: run.id, outputs: [{ toolCallId: requiredAction.toolCalls[0].id, output: '12' }] },
    'run { id }',
  );
  const done = await app.client.finished(
    run.id,
    'status messages { nodes { text status } } steps { nodes { type status } }',
  );
  expect(done.messages.nodes).toMatchObject([
    { text: 'Let me look.', status: 'COMPLETED' },
    { text: 'Noon.', status: 'COMPLETED' },
  ]);
  expect(done.steps.nodes.map(({ type }: { type: string }) => type)).toEqual([
    'MESSAGE_CREATION',
    'TOOL_CALLS',
    'MESSAGE_CREATION',
  ]);
});

test('toolChoice and strict are sent to the provider', async () => {
  model.streams('Fine.');
  const strict = [{ function: { name: 'exact', parameters: { type: 'object' }, strict: true } }, ...tools];
  const choices = [
    [{ mode: 'NONE' }, 'none'],
    [{ mode: 'AUTO' }, 'auto'],
    [{ mode: 'REQUIRED' }, 'required'],
    [{ function: 'exact' }, { type: 'function', function: { name: 'exact' } }],
  ];
  for (const [toolChoice, sent] of choices) {
    await app.client.finished((await app.client.ask('Go', { tools: strict, toolChoice })).id);
    expect(model.requests.at(-1)?.tool_choice).toEqual(sent);
  }
  const asked = model.requests.at(-1)?.tools as Array<{ function: { name: string; strict?: boolean } }>;
  expect(asked.map((tool) => [tool.function.name, tool.function.strict ?? false])).toEqual([
    ['exact', true],
    ['get_weather', false],
    ['get_time', false],
  ]);
});

test('maxCompletionTokens counts over all answers of a run', async () => {
  const usage = (completion: number) => ({
    prompt_tokens: 1,
    completion_tokens: completion,
    total_tokens: completion + 1,
  });
  model.answers(async (respond) => {
    await respond.delta({ role: 'assistant', tool_calls: [call(0, 'a', 'no_such_tool', '{}')] });
    await respond.end('tool_calls', usage(3));
  });
  const run = await app.client.ask('Loop', { tools, maxCompletionTokens: 8 });
  expect(
    await app.client.finished(run.id, 'status incompleteReason usage { completionTokens } steps { totalCount }'),
  ).toMatchObject({
    status: 'INCOMPLETE',
    incompleteReason: 'MAX_COMPLETION_TOKENS',
    usage: { completionTokens: 9 },
    steps: { totalCount: 3 },
  });
  expect(model.requests.map(({ max_tokens }) => max_tokens)).toEqual([8, 5, 2]);
});

test('reasoning before a call is counted and not sent back to the model', async () => {
  model.answers(
    async (respond) => {
      await respond.delta({ role: 'assistant', reasoning_content: 'A secret thought.' });
      await respond.delta({ tool_calls: [call(0, 'a', 'no_such_tool', '{}')] });
      const completion_tokens_details = { reasoning_tokens: 4 };
      await respond.end('tool_calls', {
        prompt_tokens: 1,
        completion_tokens: 6,
        total_tokens: 7,
        completion_tokens_details,
      });
    },
    async (respond) => {
      await respond.text('Done.');
      await respond.end();
    },
  );
  const run = await app.client.ask('Think', { tools });
  const used = 'status usage { reasoningTokens } steps { nodes { usage { reasoningTokens } } }';
  expect(await app.client.finished(run.id, used)).toMatchObject({
    status: 'COMPLETED',
    usage: { reasoningTokens: 4 },
    steps: { nodes: [{ usage: { reasoningTokens: 4 } }, { usage: { reasoningTokens: 0 } }] },
  });
  expect(JSON.stringify(model.requests[1])).toContain('no_such_tool');
  expect(JSON.stringify(model.requests[1])).not.toContain('secret thought');
});
