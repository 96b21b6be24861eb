import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { applyMigrations, readMigrations } from './schema-engine.ts';

/** The names that the database's own record of migrations holds as finished. */
type ReadApplied = () => Promise<string[]>;

/**
 * Brings the database to the newest migration. The schema engine (a few hundred milliseconds to load) is used only
 * when something is missing. The caller holds whatever lock keeps a second process from doing the same.
 */
export async function migrate(adapter: SqlMigrationAwareDriverAdapterFactory, readApplied: ReadApplied): Promise<void> {
  const applied = new Set(await readApplied());
  const migrations = await readMigrations();
  if (migrations.some(({ name }) => !applied.has(name))) await applyMigrations(adapter);
}

/** For `readApplied`: one row a migration; the table is Prisma's own. */
export const appliedMigrationsSql = `SELECT migration_name AS name FROM "_prisma_migrations" WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`;

/** Whether the bookkeeping table is there: an empty database has none. */
export const hasMigrationsSql = `SELECT to_regclass('"_prisma_migrations"') IS NOT NULL AS present`;
