import { createHash } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { type Database, openClient, type StatementListener } from './client.ts';
import { appliedMigrationsSql, hasMigrationsSql, migrate } from './migrate.ts';

/** A PostgreSQL server that several instances may share. */
export interface PostgresDatabase {
  client: Database;
  pool: pg.Pool;
  close(): Promise<void>;
}

/** Any fixed number: the advisory lock under which one instance migrates while the others wait. */
const migrationLock = 7_242_025;
/** Names beyond this many are not given out, so that a connection's prepared statements stay bounded. */
const maxStatementNames = 500;

/** Gives every distinct statement a name, so that PostgreSQL parses and plans it once a connection. */
function statementNames(): (query: { sql: string }) => string {
  const names = new Map<string, string>();
  return ({ sql }) => {
    const known = names.get(sql);
    if (known !== undefined) return known;
    if (names.size >= maxStatementNames) return '';
    const name = createHash('sha256').update(sql).digest('base64url').slice(0, 24);
    names.set(sql, name);
    return name;
  };
}

/**
 * Connects, migrates under an advisory lock, and opens the client. `connections`: at most so many at a time; `onError` hears of
 * those lost while idle.
 */
export async function openPostgres(
  { url, connections }: { url: string; connections: number },
  onError: (error: Error) => void,
  onStatement?: StatementListener,
): Promise<PostgresDatabase> {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: 10_000,
    // A process that is frozen in the middle of a change keeps nobody waiting for good.
    options: '-c TimeZone=UTC -c idle_in_transaction_session_timeout=20s -c lock_timeout=15s',
  });
  pool.on('error', onError);
  try {
    await migrateUnderLock(pool);
  } catch (error) {
    await pool.end();
    throw error;
  }
  const client = openClient(new PrismaPg(pool, { statementNameGenerator: statementNames() }), onStatement);
  const close = async () => {
    await client.$disconnect();
    await pool.end();
  };
  return { client, pool, close };
}

async function migrateUnderLock(pool: pg.Pool): Promise<void> {
  const connection = await pool.connect();
  try {
    // Another instance may migrate for longer than anything else may wait.
    await connection.query('SET lock_timeout = 0');
    await connection.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await migrate(new PrismaPg(pool), async () => {
      const { rows } = await connection.query<{ present: boolean }>(hasMigrationsSql);
      if (!rows[0]?.present) return [];
      return (await connection.query<{ name: string }>(appliedMigrationsSql)).rows.map(({ name }) => name);
    });
  } finally {
    await connection.query('SELECT pg_advisory_unlock($1)', [migrationLock]).catch(() => {});
    await connection.query('RESET lock_timeout').catch(() => {});
    connection.release();
  }
}
