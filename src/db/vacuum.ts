import type { PGlite } from '@electric-sql/pglite';

/** Fewer dead rows are left alone: a vacuum costs a pass over the indexes. */
const minDeadRows = 500;
/** While nothing else runs, a table is vacuumed when this part of its rows is dead. */
const idleShare = 0.1;
/** A busy server vacuums a table when it has this many dead rows beyond the number of living ones. */
const busyRows = 20_000;

interface Table {
  name: string;
  live: number;
  dead: number;
}

/** Runs one round; `isIdle` says whether nothing runs that a vacuum would delay. */
export type Vacuum = (isIdle: () => boolean) => Promise<void>;

/**
 * Vacuums the embedded database, which does not do that on its own: its files would grow with every row that was ever
 * changed or deleted, and keep what was deleted. A vacuum blocks the one connection, so it takes one table at a time and
 * stops when the server becomes busy; then only tables that are mostly dead rows are vacuumed.
 */
export function vacuumOf(pglite: PGlite): Vacuum {
  return async (isIdle) => {
    // Otherwise the counts are up to a second old.
    await pglite.query('SELECT pg_stat_force_next_flush()');
    const { rows } = await pglite.query<Table>(
      `SELECT format('%I.%I', schemaname, relname) AS "name", n_live_tup::int AS "live", n_dead_tup::int AS "dead"
       FROM pg_stat_user_tables WHERE n_dead_tup >= ${minDeadRows} ORDER BY n_dead_tup DESC`,
    );
    for (const { name, live, dead } of rows) {
      const isDue = isIdle() ? dead >= idleShare * live : dead >= live + busyRows;
      if (isDue) await pglite.exec(`VACUUM ${name}`);
    }
  };
}
