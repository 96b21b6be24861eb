import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { applyMigrations, readMigrations } from './schema-engine.ts';

/** Reads the names of the finished migrations from the database. */
type ReadApplied = () => Promise<string[]>;

/**
 * Applies the missing migrations. The schema engine, which takes a few hundred milliseconds to load, is loaded only when
 * there are any. The caller holds a lock against concurrent migrations.
 */
export async function migrate(adapter: SqlMigrationAwareDriverAdapterFactory, readApplied: ReadApplied): Promise<void> {
  const applied = new Set(await readApplied());
  const migrations = await readMigrations();
  if (migrations.some(({ name }) => !applied.has(name))) await applyMigrations(adapter);
}

/** For `readApplied`: the finished migrations in Prisma's own table, one row each. */
export const appliedMigrationsSql = `SELECT migration_name AS name FROM "_prisma_migrations" WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`;

/** For `readApplied`: whether Prisma's table exists. An empty database has none. */
export const hasMigrationsSql = `SELECT to_regclass('"_prisma_migrations"') IS NOT NULL AS present`;
