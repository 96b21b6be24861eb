import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { TurnBudget } from '../async/turn-budget.ts';
import { type Database, openClient, type StatementListener } from './client.ts';
import { createPglite } from './create-pglite.ts';
import { lockDataDir } from './lock.ts';
import { appliedMigrationsSql, hasMigrationsSql, migrate } from './migrate.ts';
import { migrationAdapter } from './schema-engine.ts';
import { type Vacuum, vacuumOf } from './vacuum.ts';

/** How long statements may hold a turn of the event loop, in milliseconds. One more statement can end after that. */
const turnMs = 15;

/** PostgreSQL in this process. It has one connection: a transaction must not await anything but its own statements. */
export interface EmbeddedDatabase {
  client: Database;
  pglite: PGlite;
  vacuum: Vacuum;
  close(): Promise<void>;
}

/**
 * Opens the embedded database and applies the missing migrations. `dataDir`: the server's data folder, which is locked for
 * this process; without it the database is in memory. `snapshot`: a dump of another database to start from.
 * Throws DataDirInUseError when another process uses the folder.
 */
export async function openPglite(options: {
  dataDir?: string;
  snapshot?: Blob;
  onStatement?: StatementListener;
}): Promise<EmbeddedDatabase> {
  const { dataDir, snapshot, onStatement } = options;
  if (dataDir) await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const unlock = dataDir ? await lockDataDir(dataDir) : async () => {};
  try {
    const pglite = await createPglite({
      ...(dataDir ? { dataDir: join(dataDir, 'postgres') } : {}),
      ...(snapshot ? { loadDataDir: snapshot } : {}),
    });
    await pglite.exec(`SET TIME ZONE 'UTC'`);
    await migrate(migrationAdapter(pglite), () => readApplied(pglite));
    giveWay(pglite);
    const client = openClient(new PrismaPGlite(pglite), onStatement);
    const close = async () => {
      await client.$disconnect();
      await pglite.close();
      await unlock();
    };
    return { client, pglite, vacuum: vacuumOf(pglite), close };
  } catch (error) {
    await unlock();
    throw error;
  }
}

/**
 * Lets the event loop turn between statements. A statement settles within a microtask: without this, a chain of them keeps
 * timers and sockets waiting until its end.
 */
function giveWay(pglite: PGlite): void {
  const budget = new TurnBudget(turnMs);
  const run = pglite._runExclusiveQuery.bind(pglite);
  pglite._runExclusiveQuery = <T>(statement: () => Promise<T>) => {
    const wait = budget.wait();
    return wait ? wait.then(() => run(statement)) : run(statement);
  };
}

async function readApplied(pglite: PGlite): Promise<string[]> {
  const { rows } = await pglite.query<{ present: boolean }>(hasMigrationsSql);
  if (!rows[0]?.present) return [];
  return (await pglite.query<{ name: string }>(appliedMigrationsSql)).rows.map(({ name }) => name);
}
