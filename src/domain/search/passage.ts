import type { Database } from '../../db/client.ts';

/** Rows that one statement deletes. Vectors and search results of a passage are deleted with it. */
const batchSize = 1000;

/** Deletes the passages and terms of a file in batches, so that no statement holds locks for long. */
export async function deletePassages(database: Database, workspaceId: string, fileId: string): Promise<void> {
  for (let count = batchSize; count === batchSize; ) {
    count = await database.$executeRaw`
      DELETE FROM "Passage" WHERE "workspaceId" = ${workspaceId} AND "fileId" = ${fileId} AND "index" IN (
        SELECT "index" FROM "Passage" WHERE "workspaceId" = ${workspaceId} AND "fileId" = ${fileId} LIMIT ${batchSize})`;
  }
  for (let count = batchSize; count === batchSize; ) {
    count = await database.$executeRaw`
      DELETE FROM "FileTerm" WHERE "workspaceId" = ${workspaceId} AND "fileId" = ${fileId} AND "term" IN (
        SELECT "term" FROM "FileTerm" WHERE "workspaceId" = ${workspaceId} AND "fileId" = ${fileId} LIMIT ${batchSize})`;
  }
}
