import type { Database } from './client.ts';

/** Any fixed number: the lock under which one instance makes the table while the others wait. */
const lock = 7_242_026;

/**
 * Makes the table of vectors, which the migrations cannot: not every PostgreSQL has pgvector. Its rows go with the
 * passages that they belong to. Returns why vectors cannot be kept; null: they can. Throws what the database fails with otherwise.
 */
export async function openVectors(database: Database): Promise<string | null> {
  const [known] = await database.$queryRaw<Array<{ installed: boolean }>>`
    SELECT installed_version IS NOT NULL AS "installed" FROM pg_available_extensions WHERE name = 'vector'`;
  if (!known) return 'the PostgreSQL server has no extension "vector" (pgvector)';
  try {
    await database.$transaction(async (tx) => {
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(${lock})`;
      if (!known.installed) await tx.$executeRaw`CREATE EXTENSION IF NOT EXISTS vector`;
      await tx.$executeRaw`
        CREATE TABLE IF NOT EXISTS "PassageEmbedding" (
          "workspaceId" text NOT NULL,
          "fileId" text NOT NULL,
          "index" integer NOT NULL,
          "model" text NOT NULL,
          "embedding" vector NOT NULL,
          PRIMARY KEY ("workspaceId", "fileId", "index"),
          FOREIGN KEY ("workspaceId", "fileId", "index")
            REFERENCES "Passage" ("workspaceId", "fileId", "index") ON DELETE CASCADE ON UPDATE CASCADE
        )`;
    });
    return null;
  } catch (error) {
    const denied = /42501|permission denied/i.exec(JSON.stringify((error as { meta?: unknown }).meta ?? String(error)));
    if (!denied) throw error;
    return 'the database does not let this user run CREATE EXTENSION vector';
  }
}
