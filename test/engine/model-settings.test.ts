import { expect, test } from 'vitest';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });
const settings = {
  reasoningEffort: 'HIGH',
  seed: -7,
  topK: 40,
  stop: ['END', '结束'],
  providerOptions: { enable_search: true, search_options: { forced: true }, note: '小明 🙂 "quoted"' },
};
const sent = {
  reasoning_effort: 'high',
  seed: -7,
  top_k: 40,
  stop: ['END', '结束'],
  ...settings.providerOptions,
};
const selection = 'reasoningEffort seed topK stop providerOptions';

test('the settings of a run are sent to the provider and returned', async () => {
  model.streams('Yes');
  const { id } = await app.client.ask('Hello', settings);
  expect(await app.client.finished(id, `status ${selection}`)).toMatchObject({ status: 'COMPLETED', ...settings });
  expect(model.requests.at(-1)).toMatchObject({ ...sent, stream: true, messages: [{ role: 'user' }] });
});

test('a run has the settings of its assistant, except for those that it chooses or clears', async () => {
  model.streams('Yes');
  const created = await app.client.mutate('createAssistant', settings, `assistant { id ${selection} }`);
  const { id: assistantId, ...own } = created.assistant;
  expect(own).toEqual(settings);
  const same = await app.client.ask('Hello', { assistantId });
  expect(await app.client.finished(same.id, selection)).toMatchObject(settings);
  const others = { reasoningEffort: null, seed: 3, topK: null, stop: [], providerOptions: { enable_thinking: false } };
  const run = await app.client.ask('Hello', { assistantId, ...others });
  expect(await app.client.finished(run.id, selection)).toMatchObject(others);
  const request = model.requests.at(-1);
  expect(request).toMatchObject({ seed: 3, enable_thinking: false });
  for (const name of ['reasoning_effort', 'top_k', 'stop', 'enable_search']) expect(request).not.toHaveProperty(name);
  const again = await app.client.mutate('regenerate', { threadId: run.thread.id }, `run { id ${selection} }`);
  expect(again.run).toMatchObject(others);
  await app.client.finished(again.run.id);
  const cleared = { id: assistantId, reasoningEffort: null, seed: null, topK: null, stop: [], providerOptions: null };
  const { assistant } = await app.client.mutate('updateAssistant', cleared, `assistant { ${selection} }`);
  expect(assistant).toEqual({ reasoningEffort: null, seed: null, topK: null, stop: [], providerOptions: null });
});

test.each([
  [{ model: 'other' }, 'Use the field model.'],
  [{ messages: [] }, 'The server sets this parameter.'],
  [{ stream: false }, 'The server sets this parameter.'],
  [{ top_k: 3 }, 'Use the field topK.'],
  [{ tools: [] }, 'Use the field tools.'],
  [{ n: 5 }, 'The server sets this parameter.'],
])('parameters that the server sets are refused: %j', async (providerOptions, message) => {
  const [name] = Object.keys(providerOptions);
  expect(await app.client.mutate('createRun', { thread: {}, providerOptions }, 'run { id }')).toMatchObject({
    __typename: 'InvalidInputError',
    issues: [{ path: ['providerOptions', name], message }],
  });
});

test.each([[['a']], ['text'], [7]])('options that are no object are refused: %j', async (providerOptions) => {
  expect(await app.client.mutate('createRun', { thread: {}, providerOptions }, 'run { id }')).toMatchObject({
    __typename: 'InvalidInputError',
    issues: [{ path: ['providerOptions'] }],
  });
});

test('names of the language are names like any other', async () => {
  model.streams('Yes');
  const input = '{"constructor": 1, "toString": "x", "hasOwnProperty": true}';
  const { id } = await app.client.ask('Hello', { providerOptions: JSON.parse(input) });
  expect((await app.client.finished(id)).status).toBe('COMPLETED');
  expect(JSON.stringify(model.requests.at(-1))).toContain('"constructor":1');
});
