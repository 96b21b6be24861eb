import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { ModelServer } from '../support/model-server.ts';

let model: ModelServer;
let app: TestApp;
beforeAll(async () => {
  model = await ModelServer.start();
  const catalog = join(await mkdtemp(join(tmpdir(), 'catalog-')), 'models.json');
  await writeFile(catalog, JSON.stringify({ 'openai/small': { contextWindow: 2000 } }));
  app = await startTestApp({ OPENAI_BASE_URL: model.baseURL, MODEL_CATALOG: catalog });
});
afterAll(async () => {
  await app.stop();
  await model[Symbol.asyncDispose]();
});
beforeEach(() => model.says('Yes.'));

/** About 100 tokens, with a number to know it by. */
const hundred = (name: string) => `${name} ${'lorem ipsum dolor sit amet '.repeat(20)}`;
const told = () => model.requests.at(-1)?.messages.map(({ role, content }) => [role, String(content).split(' ')[0]]);
const messagesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    text: hundred(`m${index + 1}`),
    role: index % 2 === 0 ? 'USER' : 'ASSISTANT',
  }));
const outcome = 'status incompleteReason omittedMessages usage { promptTokens } messages { nodes { text } }';

describe('a conversation longer than the context window of its model', () => {
  test('loses its oldest messages, starts with a question, and says how many are missing', async () => {
    const thread = await app.client.createThread({ messages: messagesOf(31) });
    const run = await app.client.run({ threadId: thread.id, model: 'small', instructions: 'Be kind.' });
    const result = await app.client.finished(run.id, outcome);
    expect(result).toMatchObject({ status: 'COMPLETED', messages: { nodes: [{ text: 'Yes.' }] } });
    const [system, first, ...rest] = told() ?? [];
    expect(system).toEqual(['system', 'Be']);
    expect(first?.[0]).toBe('user');
    expect(rest.at(-1)).toEqual(['user', 'm31']);
    const kept = rest.length + 1;
    expect(result.omittedMessages).toBe(31 - kept);
    // Half of the window is left to the answer, at the most; the rest is used.
    expect(kept).toBeGreaterThan(5);
    expect(kept).toBeLessThan(10);
  });

  test('keeps its system messages, and the message to be answered, however long that is', async () => {
    const messages = [{ text: 'rules first', role: 'SYSTEM' }, ...messagesOf(20), { text: hundred('last').repeat(15) }];
    const thread = await app.client.createThread({ messages });
    const run = await app.client.run({ threadId: thread.id, model: 'small' });
    expect(await app.client.finished(run.id, outcome)).toMatchObject({ status: 'COMPLETED', omittedMessages: 20 });
    expect(told()).toEqual([
      ['system', 'rules'],
      ['user', 'last'],
    ]);
  });

  test('is told whole where it fits, and where nobody knows the window', async () => {
    for (const [name, count] of [
      ['small', 3],
      ['unknown', 31],
    ] as const) {
      const thread = await app.client.createThread({ messages: messagesOf(count) });
      const run = await app.client.run({ threadId: thread.id, model: name });
      expect(await app.client.finished(run.id, outcome)).toMatchObject({ omittedMessages: 0 });
      expect(told()).toHaveLength(count);
    }
  });

  test('keeps calls with their results, the newest of them', async () => {
    let calls = 0;
    model.answers(async (respond) => {
      calls += 1;
      const args = JSON.stringify({ text: hundred(`call${calls}`) });
      const call = { index: 0, id: `c${calls}`, type: 'function', function: { name: 'no_tool', arguments: args } };
      if (calls === 12) await respond.text('Done.');
      else await respond.delta({ role: 'assistant', tool_calls: [call] });
      await respond.end(calls === 12 ? 'stop' : 'tool_calls');
    });
    const run = await app.client.ask('Loop', { model: 'small', tools: [{ function: { name: 'look_up' } }] });
    expect(await app.client.finished(run.id, outcome)).toMatchObject({ status: 'COMPLETED', omittedMessages: 0 });
    const { messages = [] } = model.requests.at(-1) ?? {};
    const asked = messages.flatMap(({ tool_calls }) =>
      ((tool_calls ?? []) as Array<{ id: string }>).map(({ id }) => id),
    );
    const answered = messages.flatMap(({ tool_call_id }) => tool_call_id ?? []);
    expect(asked).toEqual(answered);
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.length).toBeLessThan(11);
    expect(JSON.stringify(messages.at(-2))).toContain('call11');
    expect(messages[0]).toMatchObject({ role: 'user', content: 'Loop' });
  });
});

describe('maxPromptTokens', () => {
  test('leaves out what is too much', async () => {
    const thread = await app.client.createThread({ messages: messagesOf(21) });
    const run = await app.client.run({ threadId: thread.id, maxPromptTokens: 500 });
    const result = await app.client.finished(run.id, outcome);
    expect(result.status).toBe('COMPLETED');
    expect(told()?.length).toBeLessThan(6);
    expect(result.omittedMessages).toBe(21 - (told()?.length ?? 0));
  });

  test('ends a run before its first answer when not even the question fits', async () => {
    const run = await app.client.ask(hundred('long'), { maxPromptTokens: 50 });
    expect(await app.client.finished(run.id, outcome)).toMatchObject({
      status: 'INCOMPLETE',
      incompleteReason: 'MAX_PROMPT_TOKENS',
      usage: null,
    });
    expect(model.requests).toEqual([]);
  });
});

test('LAST_MESSAGES says how many it left out', async () => {
  const thread = await app.client.createThread({ messages: messagesOf(7) });
  const truncation = { strategy: 'LAST_MESSAGES', lastMessages: 3 };
  const run = await app.client.run({ threadId: thread.id, truncation });
  expect(await app.client.finished(run.id, outcome)).toMatchObject({ omittedMessages: 4 });
  expect(told()?.map(([, name]) => name)).toEqual(['m5', 'm6', 'm7']);
});

test('a text made to be slow to count, and words that are special to a tokenizer, stop nobody', async () => {
  const messages = [{ text: 'x'.repeat(250_000) }, { text: '<|endoftext|><|im_start|>' }, { text: '字'.repeat(9000) }];
  const thread = await app.client.createThread({ messages });
  const run = await app.client.run({ threadId: thread.id, model: 'small', messages: [{ text: 'And now?' }] });
  let isDone = false;
  const done = app.client.finished(run.id, outcome).finally(() => {
    isDone = true;
  });
  // The server answers others meanwhile.
  for (let asked = 0; !isDone || asked === 0; asked += 1) await app.client.data('{ viewer { kind } }');
  expect(await done).toMatchObject({ status: 'COMPLETED' });
  expect(told()?.at(-1)).toEqual(['user', 'And']);
});

test('more images than a server can hold are not read: the oldest are left out', async () => {
  const thread = await app.client.createThread({ messages: [{ text: 'Describe them', role: 'SYSTEM' }] });
  const imageUrl = `data:image/png;base64,${'A'.repeat(3_900_000)}`;
  for (let number = 1; number <= 9; number += 1) {
    const message = { content: [{ text: `picture${number} ` }, { imageUrl }] };
    await app.client.mutate('createMessage', { threadId: thread.id, message }, 'message { id }');
  }
  const run = await app.client.run({ threadId: thread.id, messages: [{ text: 'Well?' }] });
  expect(await app.client.finished(run.id, outcome)).toMatchObject({ status: 'COMPLETED', omittedMessages: 1 });
  const { messages = [] } = model.requests.at(-1) ?? {};
  expect(messages[0]).toMatchObject({ role: 'system', content: 'Describe them' });
  expect(JSON.stringify(messages[1]).slice(0, 200)).toContain('picture2');
  expect(messages.at(-1)).toMatchObject({ content: 'Well?' });
}, 60_000);
