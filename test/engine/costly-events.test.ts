import { beforeAll, describe, expect, test } from 'vitest';
import { LoopTurns } from '../support/loop-turns.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model, config: { model: { timeoutMs: 60_000, stallMs: 60_000, retries: 0 } } });
const tools = [{ function: { name: 'look_up' } }];

const eventOf = (delta: string) => `data: {"id":"x","choices":[{"index":0,"delta":${delta}}]}\n\n`;
const calls = (from: number, count: number) =>
  Array.from(
    { length: count },
    (_, offset) =>
      `{"index":${from + offset},"id":"call_${from + offset}","function":{"name":"look_up","arguments":""}}`,
  ).join();
const empty = (count: number) => Array(count).fill('{"function":{}}').join();

async function outcome(pieces: string[]) {
  model.answers(async (respond) => {
    for (const piece of pieces) await respond.raw(piece);
    await respond.text('Fine.');
    await respond.end();
  });
  const run = await app.client.ask('Go on', { tools });
  return app.client.finished(run.id, 'status lastError { code message }');
}

// The first run compiles the code.
beforeAll(() => outcome([]));

describe('a hostile provider does not hold the event loop', () => {
  const tooLarge = { status: 'FAILED', lastError: { code: 'response_too_large' } };
  const cases: Array<[string, string[], object]> = [
    [
      'one event with 100,000 deltas of calls',
      [eventOf(`{"tool_calls":[${calls(0, 128)},${empty(100_000)}]}`)],
      tooLarge,
    ],
    ['one event with 20,000 calls', [eventOf(`{"tool_calls":[${calls(0, 20_000)}]}`)], tooLarge],
    [
      'many events with thousands of deltas each',
      [eventOf(`{"tool_calls":[${calls(0, 220)}]}`), ...Array(100).fill(eventOf(`{"tool_calls":[${empty(3300)}]}`))],
      tooLarge,
    ],
    ['one event of nested lists', [`data: ${'['.repeat(1_900_000)}\n\n`], tooLarge],
    ['one event of many lines', [`${'data: [,[,[,[,\n'.repeat(120_000)}\n`], tooLarge],
    ['values behind strings without an end', [`${'data: [,"\\\ndata: [,"\n'.repeat(90_000)}\n`], tooLarge],
    ['line ends', ['\r'.repeat(1_900_000)], { status: 'COMPLETED' }],
  ];
  test.each(cases)('with %s', async (_name, pieces, expected) => {
    using turns = new LoopTurns();
    expect(await outcome(pieces)).toMatchObject(expected);
    expect(turns.longestMs).toBeLessThan(250);
  });
});

describe('a provider may end lines and events as the specification allows', () => {
  const words = eventOf('{"content":"Hello, \\"[{,\\\\"}');
  test.each([
    ['\\r\\n', words.replaceAll('\n', '\r\n')],
    ['\\r', words.replaceAll('\n', '\r')],
    ['\\r\\n and comments', `: ping, {[\r\n\r\n${words.replaceAll('\n', '\r\n')}`],
  ])('%s, in packets of one byte', async (_name, text) => {
    model.answers(async (respond) => {
      for (const byte of text) await respond.raw(byte);
      await respond.text('Fine.');
      await respond.end();
    });
    const run = await app.client.ask('Go on');
    const { messages } = await app.client.finished(run.id, 'messages { nodes { text } }');
    expect(messages.nodes).toEqual([{ text: 'Hello, "[{,\\Fine.' }]);
  });

  test('a long text in one event is no sequence of values', async () => {
    const text = '[{"a,": "b"}, 小明]'.repeat(5000);
    expect(await outcome([eventOf(JSON.stringify({ content: text }))])).toMatchObject({ status: 'COMPLETED' });
  });
});
