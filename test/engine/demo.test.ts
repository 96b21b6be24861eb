import { expect, test } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { all, joined, reasoned } from '../support/client.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();

async function answerTo(text: string, input: object = {}): Promise<string> {
  const run = await app.client.ask(text, input);
  return joined(await all(app.client.follow(run.id)));
}

test('the demo model greets, repeats, counts and introduces itself', async () => {
  expect(await answerTo('Hello there')).toMatch(/^Hello! I am the demo .* not a language model/);
  expect(await answerTo('你好')).toContain('不是语言模型');
  expect(await answerTo('say 床前明月光 🌙\nand so on')).toBe('床前明月光 🌙\nand so on');
  expect(await answerTo('Please count to 5')).toBe('1 2 3 4 5');
  expect(await answerTo('What can you do?')).toContain('call the tools of my assistant');
  expect(await answerTo('Anything else')).toMatch(/^You said: Anything else/);
});

test('the demo model streams reasoning on request', async () => {
  const run = await app.client.ask('think about tea');
  const events = await all(app.client.follow(run.id));
  expect(reasoned(events)).toContain('about tea');
  expect(await app.client.finished(run.id, 'usage { reasoningTokens }')).toMatchObject({
    usage: { reasoningTokens: expect.any(Number) },
  });
});

test('the demo model calls a named function with given or sample arguments and reports its output', async () => {
  const parameters = {
    type: 'object',
    properties: { city: { type: 'string' }, days: { type: 'integer' }, unit: { enum: ['C', 'F'] } },
    required: ['city', 'days', 'unit'],
  };
  const tools = [{ function: { name: 'get_weather', parameters } }, { function: { name: 'other' } }];
  for (const [text, given] of [
    ['get_weather please', { city: 'city', days: 1, unit: 'C' }],
    ['get_weather {"city": "Paris"}', { city: 'Paris', days: 1, unit: 'C' }],
  ] as const) {
    const run = await app.client.ask(text, { tools });
    const { requiredAction } = await app.client.finished(run.id, 'requiredAction { toolCalls { id name arguments } }');
    expect(requiredAction.toolCalls).toHaveLength(1);
    expect(JSON.parse(requiredAction.toolCalls[0].arguments)).toEqual(given);
    await app.client.mutate(
      'submitToolOutputs',
      { runId: run.id, outputs: [{ toolCallId: requiredAction.toolCalls[0].id, output: 'sunny', isError: false }] },
      'run { id }',
    );
    const { messages } = await app.client.finished(run.id, 'messages { nodes { text } }');
    expect(messages.nodes[0].text).toBe('get_weather answered: sunny');
  }
});

test('models lists every model, and a bare name selects the provider that owns it', async () => {
  await using other = await startTestApp({
    DASHSCOPE_API_KEY: 'sk-x',
    DASHSCOPE_BASE_URL: 'http://127.0.0.1:9/v1',
    OPENAI_BASE_URL: 'http://127.0.0.1:9/v1',
  });
  const { models } = await other.client.data('{ models { id provider inputPricePerMillion supportsReasoning } }');
  expect(models).toContainEqual({
    id: 'alibaba/qwen-plus',
    provider: 'alibaba',
    inputPricePerMillion: '0.4',
    supportsReasoning: true,
  });
  expect(models.at(-1)).toMatchObject({ id: 'demo' });
  const model = async (name?: string) =>
    (await other.client.mutate('createAssistant', { model: name }, 'assistant { model }')).assistant.model;
  expect(await Promise.all([model(), model('qwen-max'), model('llama3'), model('demo'), model('openai/x')])).toEqual([
    'alibaba/qwen-plus',
    'alibaba/qwen-max',
    'openai/llama3',
    'demo',
    'openai/x',
  ]);
});
