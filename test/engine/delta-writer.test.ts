import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { MemoryBus } from '../../src/bus/memory.ts';
import type { Database } from '../../src/db/client.ts';
import type { ClaimedRun } from '../../src/domain/run/lease.ts';
import { DeltaWriter } from '../../src/engine/delta-writer.ts';
import { createLog } from '../../src/log.ts';
import { fastTiming } from '../support/timing.ts';

/** A database that stores deltas slowly and records them. */
class SlowDatabase {
  readonly stored: string[] = [];
  /** The characters that the longest statement stored. */
  longest = 0;

  async $queryRaw(_sql: TemplateStringsArray, ...columns: unknown[][]): Promise<Array<{ id: string }>> {
    await delay(10);
    const [, runIds, , , , , texts] = columns as string[][];
    this.longest = Math.max(this.longest, (texts ?? []).join('').length);
    for (const [index, id] of (runIds ?? []).entries()) this.stored.push(`${id}:${texts?.[index]}`);
    return [...new Set(runIds)].map((id) => ({ id }));
  }
}

const run = (id: string) => ({ id, workspaceId: 'ws', threadId: `thread_${id}`, fence: 1 }) as ClaimedRun;

const writerTo = (database: SlowDatabase) =>
  new DeltaWriter({
    database: database as unknown as Database,
    bus: new MemoryBus(),
    log: createLog('silent'),
    timing: fastTiming,
  });

test('draining a run stores all its deltas or no more of them, however many deltas other runs store', async () => {
  const database = new SlowDatabase();
  const writer = writerTo(database);
  const others = Array.from({ length: 20 }, (_, index) => writer.open(run(`other${index}`), () => {}));
  const chatter = setInterval(() => {
    for (const other of others) other.append('m', 'TEXT', 'x');
  }, 1);
  try {
    const [whole, cut] = [writer.open(run('whole'), () => {}), writer.open(run('cut'), () => {})];
    for (let word = 0; word < 10; word += 1) {
      whole.append('m', 'TEXT', `${word} `);
      await delay(3);
    }
    await whole.drain({ store: true });
    const ofWhole = database.stored.filter((delta) => delta.startsWith('whole:')).map((delta) => delta.slice(6));
    expect(ofWhole.join('')).toBe('0 1 2 3 4 5 6 7 8 9 ');
    cut.append('m', 'TEXT', 'never mind');
    await cut.drain({ store: false });
    const before = database.stored.filter((delta) => delta.startsWith('cut:')).length;
    await delay(50);
    expect(database.stored.filter((delta) => delta.startsWith('cut:'))).toHaveLength(before);
  } finally {
    clearInterval(chatter);
  }
});

test('the deltas of many runs do not go into one statement of any length', async () => {
  const database = new SlowDatabase();
  const writer = writerTo(database);
  const writers = Array.from({ length: 12 }, (_, index) => writer.open(run(`run${index}`), () => {}));
  for (const one of writers) one.append('m', 'TEXT', 'x'.repeat(300_000));
  await Promise.all(writers.map((one) => one.drain({ store: true })));
  expect(database.stored).toHaveLength(12);
  expect(database.longest).toBe(600_000);
});
