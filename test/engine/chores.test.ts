import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Availability } from '../../src/db/availability.ts';
import { Chores } from '../../src/engine/chores.ts';
import { createLog } from '../../src/log.ts';
import { fastTiming } from '../support/timing.ts';

const log = createLog('silent');
const services = { log, availability: new Availability(log, fastTiming.database) };

/** Work whose runs end when the test resolves them. */
function controlled() {
  const runs: PromiseWithResolvers<void>[] = [];
  const work = () => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  };
  return { runs, work };
}

test('a chore runs again and again, but never twice at a time', async () => {
  const chores = new Chores(services);
  const { runs, work } = controlled();
  chores.every(2, 'test', work);
  await expect.poll(() => runs.length).toBe(1);
  await delay(20);
  expect(runs).toHaveLength(1);
  runs[0]?.resolve();
  await expect.poll(() => runs.length).toBe(2);
  runs[1]?.resolve();
  await chores.stop();
});

test('a request during a run resolves with the end of the next run', async () => {
  const chores = new Chores(services);
  const { runs, work } = controlled();
  const request = chores.every(60_000, 'test', work);
  void request();
  let isDone = false;
  const second = request().then(() => {
    isDone = true;
  });
  runs[0]?.resolve();
  await expect.poll(() => runs.length).toBe(2);
  expect(isDone).toBe(false);
  runs[1]?.resolve();
  await second;
  await chores.stop();
});

test('a failure is logged with the name of the chore, and the chore runs again', async () => {
  const failures: unknown[] = [];
  const logger = { error: (...entry: unknown[]) => failures.push(entry) };
  const chores = new Chores({ ...services, log: logger as unknown as typeof log });
  const error = new Error('no luck');
  const request = chores.every(60_000, 'laundry', () => Promise.reject(error));
  await request();
  await request();
  expect(failures).toEqual(Array(2).fill([{ err: error, chore: 'laundry' }, 'chore failed']));
  await chores.stop();
});

test('stop waits for the run under way and starts no other one', async () => {
  const chores = new Chores(services);
  const { runs, work } = controlled();
  const request = chores.every(2, 'test', work);
  chores.after(1, 'later', work);
  void request();
  void request();
  let isStopped = false;
  const stopping = chores.stop().then(() => {
    isStopped = true;
  });
  await delay(20);
  expect(isStopped).toBe(false);
  runs[0]?.resolve();
  await stopping;
  await delay(10);
  expect(runs).toHaveLength(1);
});

test('no chore begins while the database is away', async () => {
  const availability = new Availability(log, fastTiming.database);
  const chores = new Chores({ log, availability });
  let runs = 0;
  const request = chores.every(60_000, 'test', async () => {
    runs += 1;
  });
  availability.failed(new Error('away'));
  await request();
  expect(runs).toBe(0);
  availability.answered();
  await request();
  expect(runs).toBe(1);
  await chores.stop();
});
