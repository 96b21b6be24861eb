import { expect, test } from 'vitest';
import { iterator } from '../../src/async/iterator.ts';

function counting(to: number) {
  let value = 0;
  let closed = 0;
  const next = async (): Promise<IteratorResult<number, undefined>> => {
    value += 1;
    return value <= to ? { done: false, value } : { done: true, value: undefined };
  };
  const close = async () => {
    closed += 1;
  };
  return { source: iterator({ next, close }), closed: () => closed };
}

test('a loop gets every value', async () => {
  const { source } = counting(3);
  expect(await Array.fromAsync(source)).toEqual([1, 2, 3]);
});

test('a loop that is left closes the source', async () => {
  const { source, closed } = counting(3);
  for await (const value of source) if (value === 2) break;
  expect(closed()).toBe(1);
});

test('throw closes the source and rejects with the error', async () => {
  const { source, closed } = counting(3);
  await expect(source.throw(new Error('stop'))).rejects.toThrow('stop');
  expect(closed()).toBe(1);
});

test('return does not wait for a value that never comes', async () => {
  const source = iterator<number>({ next: () => new Promise(() => {}), close: async () => {} });
  void source.next();
  expect(await source.return(undefined)).toEqual({ done: true, value: undefined });
});
