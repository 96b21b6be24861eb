import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, inject, test } from 'vitest';
import { ModelServer } from '../support/model-server.ts';
import { ServerProcess } from '../support/process.ts';

// Processes that share a database: the embedded one cannot be shared.
describe.runIf(inject('postgres'))('a process whose clock is ahead', () => {
  const shared = { SECRET_KEY: 'the-same-for-both-processes-of-this-test' };
  const aheadMs = 3_600_000;

  test('takes no run of a living worker, and keeps to the time limits of the runs that it executes', async () => {
    await using model = await ModelServer.start();
    const released = Promise.withResolvers<void>();
    model.answers(async (respond) => {
      await respond.text('Half');
      await released.promise;
      await respond.end();
    });
    await using right = await ServerProcess.prepare({ ...shared, OPENAI_BASE_URL: model.baseURL });
    await using ahead = right.with({ CLOCK_AHEAD_MS: `${aheadMs}`, ROLE: 'worker' });
    await right.start();
    const runs = await Promise.all(['one', 'two', 'three'].map((text) => right.client.ask(text)));
    await expect.poll(() => model.requests.length).toBe(3);
    await ahead.start();
    // Several sweeps of the other process.
    await delay(2500);
    expect(model.requests).toHaveLength(3);
    await right.client.mutate('updateWorkspace', { settings: { maxRunSeconds: 1800 } }, 'workspace { id }');
    const more = await Promise.all(Array.from({ length: 8 }, (_, index) => right.client.ask(`more ${index}`)));
    await expect.poll(() => model.requests.length).toBe(11);
    released.resolve();
    for (const { id } of [...runs, ...more]) {
      expect(await right.client.finished(id, 'status attempt')).toMatchObject({ status: 'COMPLETED', attempt: 1 });
    }
  }, 60_000);
});
