import { expect, test } from 'vitest';
import { MemoryBudget } from '../../src/async/memory-budget.ts';

test('a memory budget refuses what exceeds it, and accepts it after a release', () => {
  const budget = new MemoryBudget(100);
  expect(budget.reserve(60)).toBe(true);
  expect(budget.reserve(41)).toBe(false);
  expect(budget.reserved).toBe(60);
  expect(budget.reserve(40)).toBe(true);
  budget.release(60);
  expect(budget.reserve(60)).toBe(true);
});
