import { afterAll, describe, expect, test } from 'vitest';
import { Offload, OffloadTimeoutError } from '../../src/offload/offload.ts';
import { fastTiming } from '../support/timing.ts';

const offload = new Offload(fastTiming.offload);
afterAll(() => offload.close());

/** A schema and a value that keep a validator busy for ever. */
const endless = {
  schema: { type: 'object', properties: { text: { type: 'string', pattern: '^(a|aa)+$' } } },
  value: { text: `${'a'.repeat(60)}!` },
};

test('questions of one owner that take forever keep those of others waiting for nothing', async () => {
  const hostile = Array.from({ length: 6 }, () =>
    offload.schemaFault('hostile', endless.schema, endless.value).catch((error: Error) => error),
  );
  const results: unknown[] = [];
  for (let asked = 0; asked < 5; asked += 1) {
    results.push(await offload.schemaFault('friendly', { type: 'object', required: ['a'] }, {}));
  }
  results.push(await offload.countTokens('friendly', ['hello world']));
  expect(results).toEqual([...Array(5).fill("the value must have required property 'a'"), [2]]);
  for (const outcome of await Promise.all(hostile)) expect(outcome).toBeInstanceOf(OffloadTimeoutError);
});

describe('counting tokens', () => {
  test('stops when the limit is passed, and goes on in small batches', async () => {
    const long = 'lorem ipsum '.repeat(20_000);
    const counts = await offload.countTokens('me', [long, long, long, long], 60_000);
    expect(counts.length).toBe(2);
    expect(counts.reduce((sum, count) => sum + count)).toBeGreaterThan(60_000);
  });

  test('takes any text', async () => {
    const texts = ['', '<|endoftext|>', '你好，世界', '🧑‍🚀', '\ud800', 'x'.repeat(100_000)];
    const counts = await offload.countTokens('me', texts);
    expect(counts).toHaveLength(texts.length);
    expect(counts[0]).toBe(0);
    expect(counts.slice(1).every((count) => count > 0)).toBe(true);
  });
});
