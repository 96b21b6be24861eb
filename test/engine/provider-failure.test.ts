import { describe, expect, test } from 'vitest';
import type { TestApp } from '../support/app.ts';
import { all, joined, reasoned, shape } from '../support/client.ts';
import type { Answer } from '../support/model-server.ts';
import { useApp, useModel } from '../support/use-app.ts';

const secret = 'sk-very-secret-value-0123456789';

const model = useModel();
const environment = { OPENAI_API_KEY: secret };
const patience = { timeoutMs: 20_000, stallMs: 20_000, retries: 2 };
const app = useApp({ model, environment, config: { model: patience } });
/** Gives up a silent model soon, so it is only for the cases in which the model is silent. */
const impatient = useApp({ model, environment, config: { model: { ...patience, timeoutMs: 300, stallMs: 300 } } });
const appFor = (name: string) => (name.includes('silen') ? impatient : app);

const fail =
  (status: number, message = 'No', headers: Record<string, string> = {}): Answer =>
  (respond) =>
    respond.fail(status, message, headers);
const say =
  (...pieces: string[]): Answer =>
  async (respond) => {
    for (const piece of pieces) await respond.text(piece);
    await respond.end();
  };

async function outcome(on: TestApp = app) {
  const run = await on.client.ask('Go on');
  return on.client.finished(
    run.id,
    'id status lastError { code message retryable } messages { nodes { text status incompleteReason } }',
  );
}

describe('a temporary failure before the first delta is retried', () => {
  const soon = { 'retry-after-ms': '5' };
  const helped: Array<[string, Answer]> = [
    ['429 with retry-after', fail(429, 'Slow down', soon)],
    ['500', fail(500, 'Oops', soon)],
    ['503', fail(503, 'Overloaded', soon)],
    ['a connection that is dropped', (respond) => respond.destroy()],
    ['silence', () => {}],
  ];
  test.each(helped)('%s', async (name, answer) => {
    model.answers(answer, say('Well'));
    expect(await outcome(appFor(name))).toMatchObject({ status: 'COMPLETED', messages: { nodes: [{ text: 'Well' }] } });
    expect(model.requests).toHaveLength(2);
  });
});

describe('a permanent failure ends the run FAILED', () => {
  const soon = { 'retry-after-ms': '1' };
  const final: Array<[string, Answer, string, boolean, number]> = [
    ['401', fail(401, `Incorrect API key provided: ${secret}`), 'provider_unauthorized', false, 1],
    ['403', fail(403), 'provider_unauthorized', false, 1],
    ['404', fail(404, 'The model does not exist'), 'model_not_found', false, 1],
    ['400', fail(400, `Bad thing, Bearer ${secret}`), 'invalid_request', false, 1],
    ['repeated 429', fail(429, 'Quota', soon), 'rate_limit_exceeded', true, 3],
    ['a 429 that asks for an hour', fail(429, 'Quota', { 'retry-after': '3600' }), 'rate_limit_exceeded', true, 1],
    ['repeated 500', fail(500, 'Oops', soon), 'server_error', true, 3],
    ['repeated silence', () => {}, 'provider_timeout', true, 3],
  ];
  test.each(final)('%s', async (name, answer, code, retryable, requests) => {
    model.answers(answer);
    const run = await outcome(appFor(name));
    expect(run).toMatchObject({ status: 'FAILED', lastError: { code, retryable } });
    expect(run.lastError.message).not.toContain(secret);
    expect(model.requests).toHaveLength(requests);
  });
});

describe('an answer that fails midway is not retried, and its text is kept', () => {
  const broken: Array<[string, Answer, string]> = [
    [
      'a stream that breaks off',
      async (respond) => {
        await respond.text('Half');
        respond.destroy();
      },
      'stream_broken',
    ],
    [
      'a stream that ends without a finish reason',
      async (respond) => {
        await respond.text('Half');
        respond.response.end();
      },
      'stream_broken',
    ],
    [
      'a stream that falls silent',
      async (respond) => {
        await respond.text('Half');
      },
      'provider_timeout',
    ],
    [
      'a chunk that is not JSON',
      async (respond) => {
        await respond.text('Half');
        await respond.raw('data: {oops\n\n');
        respond.response.end();
      },
      'stream_broken',
    ],
  ];
  test.each(broken)('%s', async (name, answer, code) => {
    model.answers(answer);
    const run = await outcome(appFor(name));
    expect(run).toMatchObject({
      status: 'FAILED',
      lastError: { code, retryable: true },
      messages: { nodes: [{ text: 'Half', status: 'INCOMPLETE', incompleteReason: 'RUN_FAILED' }] },
    });
    expect(model.requests).toHaveLength(1);
    expect(joined(await all(appFor(name).client.follow(run.id)))).toBe('Half');
  });
});

test('characters split across packets and escapes arrive intact', async () => {
  const text = '你好，🧑‍🚀 wörld 👋';
  model.answers(async (respond) => {
    await respond.delta({ role: 'assistant', content: '' });
    const bytes = Buffer.from(
      `data: ${JSON.stringify({ id: 'x', choices: [{ index: 0, delta: { content: text } }] })}\n\n`,
    );
    for (const byte of bytes) await respond.raw(Buffer.from([byte]));
    for (const half of [...'👋'].flatMap((character) => [character.charAt(0), character.charAt(1)]))
      await respond.text(half);
    await respond.text('\u0000');
    await respond.end();
  });
  const run = await app.client.ask('Say something');
  const events = await all(app.client.follow(run.id));
  expect(joined(events)).toBe(`${text}👋\ufffd`);
  expect(events.every(({ text = '' }) => text.isWellFormed())).toBe(true);
});

test('reasoning is streamed in its own events', async () => {
  model.answers(async (respond) => {
    await respond.delta({ role: 'assistant', reasoning_content: 'Let me ' });
    await respond.delta({ reasoning_content: 'think.' });
    await respond.text('Yes');
    await respond.end();
  });
  const run = await app.client.ask('Is it?');
  const events = await all(app.client.follow(run.id));
  expect(shape(events)).toEqual([
    'QUEUED',
    'IN_PROGRESS',
    'ReasoningDelta',
    'StepStarted',
    'MessageStarted',
    'MessageDelta',
    'MessageEnded',
    'StepEnded',
    'COMPLETED',
  ]);
  expect(reasoned(events)).toBe('Let me think.');
  expect(joined(events)).toBe('Yes');
});

test('reasoning after the answer belongs to the same step and delays nothing', async () => {
  model.answers(async (respond) => {
    await respond.text('Yes');
    await respond.delta({ reasoning_content: 'Or no?' });
    await respond.text(', indeed');
    await respond.end();
  });
  const run = await app.client.ask('Is it?');
  const events = await all(app.client.follow(run.id));
  expect(joined(events)).toBe('Yes, indeed');
  expect(reasoned(events)).toBe('Or no?');
  const steps = 'status steps { nodes { type status } } messages { nodes { text status } }';
  expect(await app.client.finished(run.id, steps)).toMatchObject({
    status: 'COMPLETED',
    steps: { nodes: [{ type: 'MESSAGE_CREATION', status: 'COMPLETED' }] },
    messages: { nodes: [{ text: 'Yes, indeed', status: 'COMPLETED' }] },
  });
});

test('reasoning between the answer and a call does not block the call', async () => {
  model.answers(
    async (respond) => {
      await respond.text('Let me see.');
      await respond.delta({ reasoning_content: 'I need to look it up.' });
      const call = { index: 0, id: 'c', type: 'function', function: { name: 'look_up', arguments: '{}' } };
      await respond.delta({ tool_calls: [call] });
      await respond.end('tool_calls');
    },
    async (respond) => {
      await respond.text('Found.');
      await respond.end();
    },
  );
  const run = await app.client.ask('Is it?', { tools: [{ function: { name: 'look_up' } }] });
  const { requiredAction } = await app.client.finished(run.id, 'requiredAction { toolCalls { id } }');
  const outputs = [{ toolCallId: requiredAction.toolCalls[0].id, output: 'it is' }];
  expect((await app.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { id }')).run).toBeDefined();
  const steps = 'status steps { nodes { type status } }';
  expect(await app.client.finished(run.id, steps)).toMatchObject({
    status: 'COMPLETED',
    steps: {
      nodes: [{ type: 'MESSAGE_CREATION' }, { type: 'TOOL_CALLS' }, { type: 'MESSAGE_CREATION' }].map((step) => ({
        ...step,
        status: 'COMPLETED',
      })),
    },
  });
});

test('a run ends normally although the model sends text and numbers that the database cannot store', async () => {
  model.answers((respond) => respond.fail(400, 'Bad\u0000 \ud800request'));
  const refused = await app.client.ask('Go');
  const failed = await app.client.finished(refused.id, 'status attempt lastError { code message }');
  expect(failed).toMatchObject({ status: 'FAILED', attempt: 1, lastError: { code: 'invalid_request' } });
  for (const usage of [
    { prompt_tokens: 1.5, completion_tokens: 1e12, total_tokens: 1 },
    { prompt_tokens: -5, completion_tokens: 5, total_tokens: 0 },
  ]) {
    model.answers(async (respond) => {
      await respond.text('Yes.');
      await respond.end('stop', usage);
    });
    const run = await app.client.ask('Go');
    expect(await app.client.finished(run.id, 'status attempt')).toMatchObject({ status: 'COMPLETED', attempt: 1 });
  }
  model.streams('{"\\u0000": 1}');
  const schema = { type: 'object', additionalProperties: { type: 'string' } };
  const responseFormat = { jsonSchema: { name: 'odd', schema } };
  const odd = await app.client.ask('Go', { responseFormat });
  expect(await app.client.finished(odd.id, 'status lastError { code }')).toMatchObject({
    lastError: { code: 'invalid_answer' },
  });
});

test('an answer cut at the token limit ends the run INCOMPLETE', async () => {
  model.answers(async (respond) => {
    await respond.text('And so');
    await respond.end('length');
  });
  const run = await app.client.ask('Tell me all', { maxCompletionTokens: 5 });
  expect(
    await app.client.finished(run.id, 'status incompleteReason messages { nodes { text status incompleteReason } }'),
  ).toMatchObject({
    status: 'INCOMPLETE',
    incompleteReason: 'MAX_COMPLETION_TOKENS',
    messages: { nodes: [{ text: 'And so', status: 'INCOMPLETE', incompleteReason: 'MAX_TOKENS' }] },
  });
  expect(model.requests[0]).toMatchObject({ max_tokens: 5 });
});
