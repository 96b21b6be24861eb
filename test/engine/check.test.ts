import { describe, expect, test } from 'vitest';
import { all, shape } from '../support/client.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });

const parameters = {
  type: 'object',
  properties: { city: { type: 'string', minLength: 1 }, days: { type: 'integer' } },
  required: ['city'],
  additionalProperties: false,
};
const tools = [{ function: { name: 'weather', parameters } }];
const call = (index: number, args: object, name = 'weather') => ({
  index,
  id: `call_${index}`,
  type: 'function',
  function: { name, arguments: JSON.stringify(args) },
});
/** Lets the model make these calls, then answer "Done.". */
const calls = (...made: object[]) =>
  model.answers(
    async (respond) => {
      await respond.delta({ role: 'assistant', tool_calls: made });
      await respond.end('tool_calls');
    },
    async (respond) => {
      await respond.text('Done.');
      await respond.end();
    },
  );
const toolMessages = () =>
  model.requests.at(-1)?.messages.flatMap(({ role, content }) => (role === 'tool' ? [String(content)] : []));

describe('the arguments of a call', () => {
  test("that do not match the function's schema are returned to the model, not to the client", async () => {
    for (const [args, fault] of [
      [{}, "must have required property 'city'"],
      [{ city: 'Paris', days: 'two' }, '/days must be integer'],
      [{ city: '', mood: 1 }, 'must NOT have additional properties'],
    ] as const) {
      calls(call(0, args));
      const run = await app.client.ask('Weather?', { tools });
      const selection = 'status steps { nodes { toolCalls { ... on FunctionToolCall { status output } } } }';
      expect(await app.client.finished(run.id, selection)).toMatchObject({
        status: 'COMPLETED',
        steps: { nodes: [{ toolCalls: [{ status: 'FAILED', output: expect.stringContaining(fault) }] }, {}] },
      });
      expect(toolMessages()).toEqual([expect.stringContaining('schema of weather')]);
    }
  });

  test('that match the schema go to the client, also beside calls whose arguments do not', async () => {
    calls(call(0, { city: 'Paris', days: 2 }), call(1, { days: 1 }));
    const run = await app.client.ask('Weather?', { tools });
    const { requiredAction } = await app.client.finished(run.id, 'requiredAction { toolCalls { id arguments } }');
    expect(requiredAction.toolCalls).toMatchObject([{ arguments: '{"city":"Paris","days":2}' }]);
    const outputs = [{ toolCallId: requiredAction.toolCalls[0].id, output: 'sunny' }];
    await app.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { id }');
    expect(await app.client.finished(run.id)).toMatchObject({ status: 'COMPLETED' });
    expect(toolMessages()).toEqual(['sunny', expect.stringContaining("required property 'city'")]);
  });

  test('are checked within a time limit, also by a hostile schema, and delay no other request', async () => {
    const slow = { type: 'object', properties: { text: { type: 'string', pattern: '^(a|aa)+$' } } };
    calls(call(0, { text: `${'a'.repeat(60)}!` }, 'slow'));
    const run = await app.client.ask('Try', { tools: [{ function: { name: 'slow', parameters: slow } }] });
    let isDone = false;
    const done = app.client.finished(run.id).finally(() => {
      isDone = true;
    });
    // A check on the main thread would never end, and these requests would get no response.
    for (let sent = 0; !isDone || sent === 0; sent += 1) await app.client.data('{ viewer { kind } }');
    expect(await done).toMatchObject({ status: 'COMPLETED' });
    expect(toolMessages()).toEqual([expect.stringContaining('too long to check')]);
  });
});

describe('parallelToolCalls: false', () => {
  test('is sent to the provider, and enforced when the provider ignores it', async () => {
    calls(call(0, { city: 'Paris' }), call(1, { city: 'Rome' }));
    const run = await app.client.ask('Weather?', { tools, parallelToolCalls: false });
    const { requiredAction } = await app.client.finished(run.id, 'requiredAction { toolCalls { id arguments } }');
    expect(requiredAction.toolCalls).toMatchObject([{ arguments: '{"city":"Paris"}' }]);
    expect(model.requests[0]).toMatchObject({ parallel_tool_calls: false });
    const outputs = [{ toolCallId: requiredAction.toolCalls[0].id, output: 'sunny' }];
    await app.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { id }');
    await app.client.finished(run.id);
    expect(toolMessages()).toEqual(['sunny', expect.stringContaining('one call at a time')]);
  });

  test('is not sent without tools or by default', async () => {
    model.streams('Hello.');
    for (const input of [{ parallelToolCalls: false }, { tools }]) {
      await app.client.finished((await app.client.ask('Hello?', input)).id);
      expect(model.requests.at(-1)).not.toHaveProperty('parallel_tool_calls');
    }
  });
});

describe('responseFormat', () => {
  const schema = { type: 'object', properties: { mood: { enum: ['good', 'bad'] } }, required: ['mood'] };
  const asked = { jsonSchema: { name: 'mood', schema, strict: true } };
  const outcome = 'status lastError { code message retryable } messages { nodes { text status } }';

  test.each([
    ['a schema', asked, '{"mood":"good"}'],
    ['any object', { type: 'JSON_OBJECT' }, '{"anything": [1, 2]}'],
    ['a schema without rules', { jsonSchema: { name: 'free' } }, '[1]'],
    ['text', { type: 'TEXT' }, 'not JSON at all'],
  ])('an answer that matches %s completes its run', async (_name, responseFormat, text) => {
    model.streams(text);
    const run = await app.client.ask('How are you?', { responseFormat });
    expect(await app.client.finished(run.id, outcome)).toMatchObject({ status: 'COMPLETED', lastError: null });
  });

  test.each([
    ['no JSON', asked, 'I am fine.', 'not JSON'],
    ['another value', asked, '{"mood":"so so"}', '/mood must be equal to one of the allowed values'],
    ['a list for an object', { type: 'JSON_OBJECT' }, '[1]', 'not an object'],
  ])('an answer that is %s fails its run and is stored', async (_name, responseFormat, text, fault) => {
    model.streams(text);
    const run = await app.client.ask('How are you?', { responseFormat });
    const ended = app.client.follow(run.id);
    expect(await app.client.finished(run.id, outcome)).toMatchObject({
      status: 'FAILED',
      lastError: { code: 'invalid_answer', message: expect.stringContaining(fault), retryable: true },
      messages: { nodes: [{ text, status: 'INCOMPLETE' }] },
    });
    expect(shape(await all(ended)).at(-1)).toBe('FAILED');
  });

  test('is sent to the provider unchanged', async () => {
    model.streams('{"mood":"bad"}');
    await app.client.finished((await app.client.ask('How?', { responseFormat: asked })).id);
    expect(model.requests[0]?.response_format).toMatchObject({
      type: 'json_schema',
      json_schema: { name: 'mood', strict: true, schema: { required: ['mood'] } },
    });
  });
});
