import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { createPglite } from '../../src/db/create-pglite.ts';
import { DataDirInUseError, lockDataDir } from '../../src/db/lock.ts';
import { openPglite } from '../../src/db/pglite.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import {
  applyMigrations,
  diffMigrationsAgainstSchema,
  migrationAdapter,
  readMigrations,
} from '../../src/db/schema-engine.ts';
import type { Services } from '../../src/domain/context.ts';
import { deleteUnrecordedSteps } from '../../src/domain/run/step-recording.ts';
import { withDatabase } from '../support/databases.ts';

test('the migrations produce the schema of the Prisma files', async () => {
  const pglite = await createPglite();
  expect(await diffMigrationsAgainstSchema(migrationAdapter(pglite))).toBe('-- This is an empty migration.\n');
  await pglite.close();
});

test('migrations are recorded as the Prisma CLI records them, and are applied once', async () => {
  const pglite = await createPglite();
  const names = (await readMigrations()).map(({ name }) => name);
  expect(await applyMigrations(migrationAdapter(pglite))).toEqual(names);
  const { rows } = await pglite.query(
    'SELECT migration_name FROM "_prisma_migrations" WHERE finished_at IS NOT NULL ORDER BY 1',
  );
  expect(rows.map((row) => (row as { migration_name: string }).migration_name)).toEqual(names);
  expect(await applyMigrations(migrationAdapter(pglite))).toEqual([]);
  await pglite.close();
});

const postgres = inject('postgres');
test.skipIf(postgres === null)(
  'instances that start at the same time migrate an empty database once (needs PostgreSQL)',
  async () => {
    if (!postgres) return;
    const name = `${postgres.template}_together`;
    const server = new pg.Client({ connectionString: postgres.url });
    await server.connect();
    await server.query(`CREATE DATABASE ${name}`);
    const url = withDatabase(postgres.url, name);
    const opened = await Promise.all(Array.from({ length: 4 }, () => openPostgres({ url, connections: 4 }, () => {})));
    const { rows } = await (opened[0] as (typeof opened)[0]).pool.query(
      'SELECT count(*)::int AS count FROM "_prisma_migrations"',
    );
    expect(rows[0].count).toBe((await readMigrations()).length);
    for (const { close } of opened) await close();
    await server.end();
  },
);

test('a data folder accepts one process at a time', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'assistant-graph-lock-'));
  const unlock = await lockDataDir(dataDir);
  const refused = await openPglite({ dataDir }).catch((error) => error);
  expect(refused).toBeInstanceOf(DataDirInUseError);
  expect(refused.message).toContain(`in use by process ${process.pid}`);
  await unlock();
  const again = await lockDataDir(dataDir);
  await again();
  await rm(dataDir, { recursive: true });
});

test('the lock of a killed process is taken over', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'assistant-graph-lock-'));
  for (const content of ['999999999 1', `${process.pid} 1`, '']) {
    await writeFile(join(dataDir, 'lock'), content);
    const unlock = await lockDataDir(dataDir);
    expect(await readFile(join(dataDir, 'lock'), 'utf8')).toMatch(new RegExp(`^${process.pid} `));
    await unlock();
  }
  await rm(dataDir, { recursive: true });
});

test('steps that are not recorded are deleted in a process that has just created the database (embedded only)', async () => {
  // PGlite knows the array types of enums only from its own start: a parameter of such a type fails here.
  const { client: database, close } = await openPglite({});
  try {
    await expect(
      deleteUnrecordedSteps({ database } as Services, new AbortController().signal),
    ).resolves.toBeUndefined();
  } finally {
    await close();
  }
});
