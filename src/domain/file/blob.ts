import type { Transaction } from '../../db/client.ts';
import type { StagedBytes } from '../../files/staging.ts';
import type { DomainContext, Services } from '../context.ts';

/** How many blobs are taken out of the store with one look. */
const batchSize = 100;

/**
 * The key under which bytes are kept in the workspace: that of the same bytes, where they are there already, else `key`.
 * Nobody takes them out before the transaction ends.
 */
export async function keepBytes(
  ctx: DomainContext,
  tx: Transaction,
  key: string,
  { sha256, sizeBytes }: StagedBytes,
): Promise<string> {
  const { workspaceId } = ctx;
  const [kept] = await tx.$queryRaw<Array<{ key: string }>>`
    SELECT "key" FROM "Blob" WHERE "workspaceId" = ${workspaceId} AND "sha256" = ${sha256} AND "deletedAt" IS NULL FOR SHARE`;
  if (kept) return kept.key;
  await tx.blob.create({ data: { workspaceId, key, sha256, sizeBytes } });
  return key;
}

/**
 * Takes the bytes out of the store that no file has any more, of one workspace or of all. What it did not come to, because
 * it was stopped or the store failed, it does the next time.
 */
export async function deleteUnusedBlobs(
  { database, files, log }: Services,
  signal: AbortSignal,
  workspaceId: string | null = null,
): Promise<void> {
  for (let count = batchSize; count === batchSize && !signal.aborted; ) {
    const unused = await markUnused(database, workspaceId);
    count = unused.length;
    for (const blob of unused) {
      try {
        await files.remove(blob.workspaceId, blob.key);
        await database.blob.deleteMany({ where: blob });
      } catch (error) {
        // They are looked for again later: the next ones first.
        log.error({ err: error, key: blob.key }, 'the bytes of a deleted file could not be removed');
        count = 0;
      }
    }
  }
}

/** Blobs of no file, marked so that no new file is given them. Looks over all workspaces: the sweep serves them all. */
function markUnused(
  database: Services['database'],
  workspaceId: string | null,
): Promise<Array<{ workspaceId: string; key: string }>> {
  return database.$transaction(async (tx) => {
    const found = await tx.$queryRaw<Array<{ workspaceId: string; key: string }>>`
      SELECT b."workspaceId", b."key" FROM "Blob" b
      WHERE (${workspaceId}::text IS NULL OR b."workspaceId" = ${workspaceId}::text) AND (b."deletedAt" IS NOT NULL OR NOT EXISTS (
        SELECT FROM "File" f WHERE f."workspaceId" = b."workspaceId" AND f."blobKey" = b."key"))
      LIMIT ${batchSize} FOR UPDATE OF b SKIP LOCKED`;
    // Who was giving one of them to a new file has finished by now: only a new statement sees that file.
    return tx.$queryRaw<Array<{ workspaceId: string; key: string }>>`
      UPDATE "Blob" b SET "deletedAt" = coalesce(b."deletedAt", now())
      FROM jsonb_to_recordset(${JSON.stringify(found)}::jsonb) AS u ("workspaceId" text, "key" text)
      WHERE b."workspaceId" = u."workspaceId" AND b."key" = u."key" AND NOT EXISTS (
        SELECT FROM "File" f WHERE f."workspaceId" = b."workspaceId" AND f."blobKey" = b."key")
      RETURNING b."workspaceId", b."key"`;
  });
}
