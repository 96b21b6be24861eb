import { vectorTableLock } from './advisory-locks.ts';
import type { Database } from './client.ts';

/**
 * Creates the table of embeddings. It is not part of the migrations, because not every PostgreSQL has pgvector. Returns the
 * reason why embeddings cannot be stored; null: they can. Throws other errors of the database.
 */
export async function openVectors(database: Database): Promise<string | null> {
  const [known] = await database.$queryRaw<Array<{ installed: boolean }>>`
    SELECT installed_version IS NOT NULL AS "installed" FROM pg_available_extensions WHERE name = 'vector'`;
  if (!known) return 'the PostgreSQL server has no extension "vector" (pgvector)';
  try {
    await database.$transaction(async (tx) => {
      await tx.$executeRaw`SELECT pg_advisory_xact_lock(${vectorTableLock})`;
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
    return 'the database user is not permitted to run CREATE EXTENSION vector';
  }
}
