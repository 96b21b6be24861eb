import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Countdown } from '../../src/async/countdown.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function countdownOf(ms: number) {
  const countdown = new Countdown();
  const onEnd = vi.fn();
  countdown.start(ms, onEnd);
  return { countdown, onEnd };
}

test('a countdown ends once, after its time', () => {
  const { onEnd } = countdownOf(1000);
  vi.advanceTimersByTime(999);
  expect(onEnd).not.toHaveBeenCalled();
  vi.advanceTimersByTime(10_000);
  expect(onEnd).toHaveBeenCalledOnce();
});

test('pauses do not count, and do not add time: many short ones leave the rest to pass', () => {
  const { countdown, onEnd } = countdownOf(1000);
  for (let pauses = 0; pauses < 9; pauses += 1) {
    vi.advanceTimersByTime(100);
    countdown.pause();
    vi.advanceTimersByTime(5000);
    countdown.resume();
  }
  vi.advanceTimersByTime(99);
  expect(onEnd).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(onEnd).toHaveBeenCalledOnce();
});

test('a countdown that is restarted in a pause begins after it', () => {
  const { countdown, onEnd } = countdownOf(1000);
  const onOther = vi.fn();
  countdown.pause();
  countdown.start(500, onOther);
  vi.advanceTimersByTime(5000);
  countdown.resume();
  vi.advanceTimersByTime(499);
  expect(onOther).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect([onEnd.mock.calls.length, onOther.mock.calls.length]).toEqual([0, 1]);
});

test('a stopped countdown never ends, not even when it is resumed', () => {
  const { countdown, onEnd } = countdownOf(1000);
  countdown.stop();
  countdown.resume();
  vi.advanceTimersByTime(10_000);
  expect(onEnd).not.toHaveBeenCalled();
});
