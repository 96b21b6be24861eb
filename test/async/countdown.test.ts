import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Countdown } from '../../src/async/countdown.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

function countdownOf(ms: number) {
  const countdown = new Countdown();
  const onEnd = vi.fn();
  countdown.start(ms, onEnd);
  return { countdown, onEnd };
}

test('a countdown ends once, after its time', async () => {
  const { onEnd } = countdownOf(1000);
  vi.advanceTimersByTime(999);
  await turn();
  expect(onEnd).not.toHaveBeenCalled();
  vi.advanceTimersByTime(10_000);
  await turn();
  expect(onEnd).toHaveBeenCalledOnce();
});

test('pauses do not count, and do not add time: many short ones leave the rest to pass', async () => {
  const { countdown, onEnd } = countdownOf(1000);
  for (let pauses = 0; pauses < 9; pauses += 1) {
    vi.advanceTimersByTime(100);
    countdown.pause();
    vi.advanceTimersByTime(5000);
    countdown.resume();
  }
  vi.advanceTimersByTime(99);
  await turn();
  expect(onEnd).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  await turn();
  expect(onEnd).toHaveBeenCalledOnce();
});

test('a countdown that is restarted in a pause begins after it', async () => {
  const { countdown, onEnd } = countdownOf(1000);
  const onOther = vi.fn();
  countdown.pause();
  countdown.start(500, onOther);
  vi.advanceTimersByTime(5000);
  countdown.resume();
  vi.advanceTimersByTime(499);
  await turn();
  expect(onOther).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  await turn();
  expect([onEnd.mock.calls.length, onOther.mock.calls.length]).toEqual([0, 1]);
});

test('a stopped countdown never ends, not even when it is paused and resumed', async () => {
  const { countdown, onEnd } = countdownOf(1000);
  countdown.stop();
  countdown.pause();
  countdown.resume();
  vi.advanceTimersByTime(10_000);
  await turn();
  expect(onEnd).not.toHaveBeenCalled();
});

test('what arrives while the process is busy stops a countdown whose time has passed', async () => {
  vi.useRealTimers();
  const { port1, port2 } = new MessageChannel();
  const { countdown, onEnd } = countdownOf(20);
  const arrived = new Promise<void>((resolve) => {
    port2.onmessage = () => {
      countdown.stop();
      resolve();
    };
  });
  port1.postMessage('part');
  const start = performance.now();
  while (performance.now() - start < 50);
  await arrived;
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(onEnd).not.toHaveBeenCalled();
  port1.close();
});
