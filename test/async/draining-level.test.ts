import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DrainingLevel } from '../../src/async/draining-level.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a level drains at its rate', () => {
  const level = new DrainingLevel(1000);
  expect(level.msUntilBelow(500)).toBe(0);
  level.add(1500);
  expect(level.msUntilBelow(500)).toBe(1000);
  vi.advanceTimersByTime(400);
  expect(level.msUntilBelow(500)).toBe(600);
  level.add(100);
  expect(level.msUntilBelow(500)).toBe(700);
  vi.advanceTimersByTime(701);
  expect(level.msUntilBelow(500)).toBe(0);
});

test('a level does not rise beyond its highest', () => {
  const level = new DrainingLevel(1000, 3000);
  level.add(1_000_000);
  expect(level.msUntilBelow(1000)).toBe(2000);
});
