import { afterAll, describe, expect, test } from 'vitest';
import { Offload } from '../../src/offload/offload.ts';
import { OffloadTimeoutError } from '../../src/offload/offload-error.ts';
import { fastTiming } from '../support/timing.ts';

const offload = new Offload(fastTiming.offload);
afterAll(() => offload.close());

/** A schema and a value that a validator never finishes with. */
const endless = {
  schema: { type: 'object', properties: { text: { type: 'string', pattern: '^(a|aa)+$' } } },
  value: { text: `${'a'.repeat(60)}!` },
};

test('endless tasks of one owner do not delay the tasks of others', async () => {
  const hostile = Array.from({ length: 6 }, () =>
    offload.schemaFault('hostile', endless.schema, endless.value).catch((error: Error) => error),
  );
  const results: unknown[] = [];
  for (let round = 0; round < 5; round += 1) {
    results.push(await offload.schemaFault('friendly', { type: 'object', required: ['a'] }, {}));
  }
  results.push(await offload.countTokens('friendly', ['hello world']));
  expect(results).toEqual([...Array(5).fill("the value must have required property 'a'"), [2]]);
  for (const outcome of await Promise.all(hostile)) expect(outcome).toBeInstanceOf(OffloadTimeoutError);
});

describe('token counts', () => {
  test('end with the text that exceeds the limit', async () => {
    const long = 'lorem ipsum '.repeat(20_000);
    const counts = await offload.countTokens('me', [long, long, long, long], 60_000);
    expect(counts.length).toBe(2);
    expect(counts.reduce((sum, count) => sum + count)).toBeGreaterThan(60_000);
  });

  test('cover any text', async () => {
    const texts = ['', '<|endoftext|>', '你好，世界', '🧑‍🚀', '\ud800', 'x'.repeat(100_000)];
    const counts = await offload.countTokens('me', texts);
    expect(counts).toHaveLength(texts.length);
    expect(counts[0]).toBe(0);
    expect(counts.slice(1).every((count) => count > 0)).toBe(true);
  });
});
