import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedDatabase, openPglite } from '../../src/db/pglite.ts';
import { LoopTurns } from '../support/loop-turns.ts';

let database: EmbeddedDatabase;
beforeAll(async () => {
  database = await openPglite({});
  await database.client.$queryRaw`SELECT 1`;
});
afterAll(() => database.close());

test('a chain of statements on the embedded database does not hold the event loop', async () => {
  const { client } = database;
  using turns = new LoopTurns();
  for (let number = 0; number < 1200; number += 1) await client.$queryRaw`SELECT ${number}::int`;
  await client.$transaction(async (tx) => {
    for (let number = 0; number < 300; number += 1) await tx.$queryRaw`SELECT ${number}::int`;
  });
  expect(turns.longestMs).toBeLessThan(250);
});

test('many chains at once do not hold it either', async () => {
  const { client } = database;
  using turns = new LoopTurns();
  const chain = async () => {
    for (let number = 0; number < 25; number += 1) await client.$queryRaw`SELECT ${number}::int`;
  };
  await Promise.all(Array.from({ length: 50 }, chain));
  expect(turns.longestMs).toBeLessThan(250);
});
