import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({
  model,
  environment: async () => {
    const catalog = join(await mkdtemp(join(tmpdir(), 'catalog-')), 'models.json');
    await writeFile(catalog, JSON.stringify({ 'openai/small': { contextWindow: 2000 } }));
    return { MODEL_CATALOG: catalog };
  },
});
beforeEach(() => model.streams('Yes.'));

/** A text of about 100 tokens that starts with `name`. */
const hundred = (name: string) => `${name} ${'lorem ipsum dolor sit amet '.repeat(20)}`;
const prompted = () =>
  model.requests.at(-1)?.messages.map(({ role, content }) => [role, String(content).split(' ')[0]]);
const messagesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    text: hundred(`m${index + 1}`),
    role: index % 2 === 0 ? 'USER' : 'ASSISTANT',
  }));
const outcome = 'status incompleteReason omittedMessages usage { promptTokens } messages { nodes { text } }';

describe('a conversation longer than the context window of its model', () => {
  test('drops its oldest messages, starts with a user message and states how many are missing', async () => {
    const thread = await app.client.createThread({ messages: messagesOf(31) });
    const run = await app.client.run({ threadId: thread.id, model: 'small', instructions: 'Be kind.' });
    const result = await app.client.finished(run.id, outcome);
    expect(result).toMatchObject({ status: 'COMPLETED', messages: { nodes: [{ text: 'Yes.' }] } });
    const [system, first, ...rest] = prompted() ?? [];
    expect(system).toEqual(['system', 'Be']);
    expect(first?.[0]).toBe('user');
    expect(rest.at(-1)).toEqual(['user', 'm31']);
    const kept = rest.length + 1;
    expect(result.omittedMessages).toBe(31 - kept);
    // At most half of the window is reserved for the answer; the prompt uses the rest.
    expect(kept).toBeGreaterThan(5);
    expect(kept).toBeLessThan(10);
  });

  test('keeps its system messages and the message to answer, whatever their length', async () => {
    const messages = [{ text: 'rules first', role: 'SYSTEM' }, ...messagesOf(20), { text: hundred('last').repeat(15) }];
    const thread = await app.client.createThread({ messages });
    const run = await app.client.run({ threadId: thread.id, model: 'small' });
    expect(await app.client.finished(run.id, outcome)).toMatchObject({ status: 'COMPLETED', omittedMessages: 20 });
    expect(prompted()).toEqual([
      ['system', 'rules'],
      ['user', 'last'],
    ]);
  });

  test('is sent complete when it fits or when the window is unknown', async () => {
    for (const [name, count] of [
      ['small', 3],
      ['unknown', 31],
    ] as const) {
      const thread = await app.client.createThread({ messages: messagesOf(count) });
      const run = await app.client.run({ threadId: thread.id, model: name });
      expect(await app.client.finished(run.id, outcome)).toMatchObject({ omittedMessages: 0 });
      expect(prompted()).toHaveLength(count);
    }
  });

  test('keeps the newest calls together with their outputs', async () => {
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
  test('drops the messages that exceed it', async () => {
    const thread = await app.client.createThread({ messages: messagesOf(21) });
    const run = await app.client.run({ threadId: thread.id, maxPromptTokens: 500 });
    const result = await app.client.finished(run.id, outcome);
    expect(result.status).toBe('COMPLETED');
    expect(prompted()?.length).toBeLessThan(6);
    expect(result.omittedMessages).toBe(21 - (prompted()?.length ?? 0));
  });

  test('ends a run before its first answer when the user message does not fit', async () => {
    const run = await app.client.ask(hundred('long'), { maxPromptTokens: 50 });
    expect(await app.client.finished(run.id, outcome)).toMatchObject({
      status: 'INCOMPLETE',
      incompleteReason: 'MAX_PROMPT_TOKENS',
      usage: null,
    });
    expect(model.requests).toEqual([]);
  });
});

test('LAST_MESSAGES states how many messages it dropped', async () => {
  const thread = await app.client.createThread({ messages: messagesOf(7) });
  const truncation = { strategy: 'LAST_MESSAGES', lastMessages: 3 };
  const run = await app.client.run({ threadId: thread.id, truncation });
  expect(await app.client.finished(run.id, outcome)).toMatchObject({ omittedMessages: 4 });
  expect(prompted()?.map(([, name]) => name)).toEqual(['m5', 'm6', 'm7']);
});

test('a text that is slow to count, or holds special tokens, delays no other request', async () => {
  const messages = [{ text: 'x'.repeat(250_000) }, { text: '<|endoftext|><|im_start|>' }, { text: '字'.repeat(9000) }];
  const thread = await app.client.createThread({ messages });
  const run = await app.client.run({ threadId: thread.id, model: 'small', messages: [{ text: 'And now?' }] });
  let isDone = false;
  const done = app.client.finished(run.id, outcome).finally(() => {
    isDone = true;
  });
  // The server answers other requests in the meantime.
  for (let asked = 0; !isDone || asked === 0; asked += 1) await app.client.data('{ viewer { kind } }');
  expect(await done).toMatchObject({ status: 'COMPLETED' });
  expect(prompted()?.at(-1)).toEqual(['user', 'And']);
});

test('images beyond the memory limit are not read: the oldest are dropped', async () => {
  const thread = await app.client.createThread({ messages: [{ text: 'Describe them', role: 'SYSTEM' }] });
  const imageUrl = `data:image/png;base64,${'A'.repeat(3_900_000)}`;
  for (let number = 1; number <= 9; number += 1) {
    const message = { content: [{ text: `picture${number} ` }, { imageUrl }] };
    await app.client.mutate('createMessage', { threadId: thread.id, message }, 'threadMessage { id }');
  }
  const run = await app.client.run({ threadId: thread.id, messages: [{ text: 'Well?' }] });
  expect(await app.client.finished(run.id, outcome)).toMatchObject({ status: 'COMPLETED', omittedMessages: 1 });
  const { messages = [] } = model.requests.at(-1) ?? {};
  expect(messages[0]).toMatchObject({ role: 'system', content: 'Describe them' });
  expect(JSON.stringify(messages[1]).slice(0, 200)).toContain('picture2');
  expect(messages.at(-1)).toMatchObject({ content: 'Well?' });
}, 60_000);
