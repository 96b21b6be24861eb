import { expect, test } from 'vitest';
import { coalesce } from '../../src/async/coalesce.ts';

/** Work whose runs end when the test says so. */
function controlled() {
  const runs: PromiseWithResolvers<void>[] = [];
  const request = coalesce(() => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  });
  return { runs, request };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a call begins a run at once', () => {
  const { runs, request } = controlled();
  void request();
  expect(runs).toHaveLength(1);
});

test('many calls during a run start exactly one more run, which all of them wait for', async () => {
  const { runs, request } = controlled();
  let later = 0;
  const first = request();
  for (let call = 0; call < 5; call += 1) void request().then(() => (later += 1));
  runs[0]?.resolve();
  await first;
  await turn();
  expect([runs.length, later]).toEqual([2, 0]);
  runs[1]?.resolve();
  await turn();
  expect([runs.length, later]).toEqual([2, 5]);
});

test('a call as soon as a run has ended never runs beside the run that follows', async () => {
  let atOnce = 0;
  let most = 0;
  const request = coalesce(async () => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    await turn();
    atOnce -= 1;
  });
  const first = request();
  void request();
  await Promise.all([first.then(request), first.then(() => Promise.resolve().then(request))]);
  expect(most).toBe(1);
});

test('a run that fails rejects its own calls alone', async () => {
  const { runs, request } = controlled();
  const first = request();
  const second = request();
  runs[0]?.reject(new Error('broken'));
  await expect(first).rejects.toThrow('broken');
  await turn();
  runs[1]?.resolve();
  await expect(second).resolves.toBeUndefined();
});
