import { readFile } from 'node:fs/promises';
import { describe, expect, inject, test } from 'vitest';
import { openPglite } from '../../src/db/pglite.ts';
import { startTestApp } from '../support/app.ts';
import { fastTiming } from '../support/timing.ts';

const isIdle = () => true;
const isBusy = () => false;

// PostgreSQL vacuums on its own.
describe.skipIf(inject('postgres'))('the embedded database', () => {
  const open = async () => {
    const { client, vacuum, close } = await openPglite({
      snapshot: new Blob([await readFile(inject('snapshotPath'))]),
    });
    await client.$executeRaw`INSERT INTO "Workspace" ("id", "name") VALUES ('ws', 'Test')`;
    await client.$executeRaw`INSERT INTO "Thread" ("workspaceId", "id") VALUES ('ws', 'thread')`;
    return {
      vacuum,
      [Symbol.asyncDispose]: close,
      /** Writes rows with contents and deletes them, as a growing text does. */
      churn: async (rows = 3000) => {
        await client.$executeRaw`
          INSERT INTO "Event" ("workspaceId", "threadId", "seq", "type", "value")
          SELECT 'ws', 'thread', i, 'STEP_STARTED', repeat(md5(i::text), 20) FROM generate_series(1, ${rows}::int) i`;
        await client.$executeRaw`DELETE FROM "Event"`;
      },
      bytes: async () => {
        const [row] = await client.$queryRaw<[{ bytes: number }]>`
          SELECT pg_total_relation_size('"Event"')::int AS "bytes"`;
        return row.bytes;
      },
    };
  };

  test('reuses and gives back the space of deleted rows while nothing runs', async () => {
    await using database = await open();
    await database.churn();
    const grown = await database.bytes();
    await database.vacuum(isIdle);
    expect(await database.bytes()).toBeLessThan(grown / 4);
    for (let round = 0; round < 3; round += 1) {
      await database.churn();
      expect(await database.bytes()).toBeLessThanOrEqual(grown * 1.1);
      await database.vacuum(isIdle);
    }
    expect(await database.bytes()).toBeLessThan(grown / 4);
  });

  test('waits while runs stream, unless a table is mostly dead rows', async () => {
    await using database = await open();
    await database.churn();
    const grown = await database.bytes();
    await database.vacuum(isBusy);
    expect(await database.bytes()).toBe(grown);
    await database.churn(25_000);
    const full = await database.bytes();
    await database.vacuum(isBusy);
    expect(await database.bytes()).toBeLessThan(full / 4);
  });

  test('of a server is vacuumed without a request', async () => {
    const timing = { ...fastTiming, chore: { ...fastTiming.chore, vacuumMs: 50 } };
    await using app = await startTestApp({}, { timing });
    const { database } = app.app.services;
    const { id } = await app.client.createThread({ messages: [{ text: 'hello' }] });
    await database.$executeRaw`
      INSERT INTO "Event" ("workspaceId", "threadId", "seq", "type", "value")
      SELECT "workspaceId", "id", 1000 + i, 'STEP_STARTED', 'x' FROM "Thread", generate_series(1, 2000) i WHERE "id" = ${id}`;
    await database.$executeRaw`DELETE FROM "Event" WHERE "seq" > 1000`;
    const vacuums = async () => {
      const [row] = await database.$queryRaw<[{ count: number }]>`
        SELECT vacuum_count::int AS "count" FROM pg_stat_user_tables WHERE relname = 'Event'`;
      return row.count;
    };
    await expect.poll(vacuums).toBeGreaterThan(0);
  });
});
