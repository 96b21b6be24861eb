import { createHash } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { migrationLock } from './advisory-locks.ts';
import { type Database, openClient, type StatementListener } from './client.ts';
import { appliedMigrationsSql, hasMigrationsSql, migrate } from './migrate.ts';
import { PostgresConnections } from './postgres-connections.ts';

/** A PostgreSQL server that several instances may share. */
export interface PostgresDatabase {
  client: Database;
  pool: pg.Pool;
  /** Those of the pool; other pools can join. */
  connections: PostgresConnections;
  close(): Promise<void>;
}

/** Statements beyond this many get no name, which bounds the prepared statements of a connection. */
const maxStatementNames = 500;

/** Names each distinct statement: PostgreSQL parses and plans a named statement once for each connection. */
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
 * Connects, migrates under an advisory lock and opens the client. `connections`: the size of the pool. `onError` receives
 * the errors of idle connections.
 */
export async function openPostgres(
  { url, connections }: { url: string; connections: number },
  onError: (error: Error) => void,
  onStatement?: StatementListener,
): Promise<PostgresDatabase> {
  const tracked = new PostgresConnections();
  const pool = new pg.Pool({
    Client: tracked.Client,
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // The locks of a process that freezes within a transaction end with these limits.
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
  return { client, pool, connections: tracked, close };
}

async function migrateUnderLock(pool: pg.Pool): Promise<void> {
  const connection = await pool.connect();
  try {
    // Another instance may migrate for longer than the limit of ordinary locks.
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
