// The numbers of all PostgreSQL advisory locks of the server. They are arbitrary, but fixed: instances of different
// versions that share a database must agree on them.

/** One instance applies migrations while the others wait. */
export const migrationLock = 7_242_025;
/** One worker claims queued runs while the others wait. */
export const claimLock = 7_242_026;
/** One instance creates the table of embeddings while the others wait. */
export const vectorTableLock = 7_242_027;
