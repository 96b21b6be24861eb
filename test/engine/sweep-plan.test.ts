import { expect, test } from 'vitest';
import type { Prisma } from '../../src/db/generated/client.ts';
import { expiredSql, leaderlessSql } from '../../src/domain/run/lease.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();

/** The plan of a statement when the planner may scan no table, as with many rows. */
async function planOf(statement: Prisma.Sql): Promise<string> {
  const { database } = app.app.services;
  const [, rows] = await database.$transaction([
    database.$executeRaw`SET LOCAL enable_seqscan = off`,
    database.$queryRaw<Array<Record<string, string>>>`EXPLAIN ${statement}`,
  ]);
  return rows.map((row) => Object.values(row)[0]).join('\n');
}

test('the sweep looks for runs of lost workers in an index of the executing runs', async () => {
  const plan = await planOf(leaderlessSql);
  expect(plan).toContain('Run_executing_idx');
  expect(plan).not.toContain('Seq Scan');
});

test('the sweep looks for expired runs in an index of the unfinished runs', async () => {
  const plan = await planOf(expiredSql);
  expect(plan).toMatch(/Run_expiresAt_idx|Run_unfinished_idx/);
  expect(plan).not.toContain('Seq Scan');
});
