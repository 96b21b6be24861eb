import type { Database } from '../../db/client.ts';

/** How many rows one statement deletes: with each go its vector and the hits of searches. */
const batchSize = 1000;

/** Deletes the passages and the terms of a file, some at a time, so that nobody waits for it. */
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
