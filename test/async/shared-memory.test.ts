import { expect, test } from 'vitest';
import { SharedMemory } from '../../src/async/shared-memory.ts';

test('a holder has only its part, at least the minimum, and gives back what it releases', () => {
  const memory = new SharedMemory(100, 30);
  const half = memory.of({ name: 'half', share: 0.5 });
  const small = memory.of({ name: 'small', share: 0.1 });
  expect(half.reserve(50)).toBe(true);
  expect(half.reserve(1)).toBe(false);
  expect(small.reserve(30)).toBe(true);
  expect(small.reserve(1)).toBe(false);
  expect(memory.reserved).toBe(80);
  expect(memory.of({ name: 'third', share: 1 }).reserve(21)).toBe(false);
  half.release(50);
  small.release(30);
  expect(memory.reserved).toBe(0);
  expect(half.reserve(50)).toBe(true);
});
