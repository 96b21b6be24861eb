import type { Transaction } from '../../db/client.ts';
import type { StagedBytes } from '../../files/staging.ts';
import type { DomainContext, Services } from '../context.ts';

/** Blobs that are deleted with one query. */
const batchSize = 100;

/**
 * Registers stored bytes in the workspace. Returns their key: that of a blob with the same content if there is one, else
 * `key`. The blob is locked against deletion until the transaction ends.
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
 * Deletes the blobs that no file refers to, of one workspace or of all. Blobs that remain after an abort or an error of the
 * store are deleted by the next call.
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
        // The next call tries again.
        log.error({ err: error, key: blob.key }, 'blob deletion failed');
        count = 0;
      }
    }
  }
}

/** Marks blobs without a file as deleted, so that no new file uses them, and returns them. Serves all workspaces. */
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
    // A transaction that reused one of them has finished by now, but only a new statement sees its file.
    return tx.$queryRaw<Array<{ workspaceId: string; key: string }>>`
      UPDATE "Blob" b SET "deletedAt" = coalesce(b."deletedAt", now())
      FROM jsonb_to_recordset(${JSON.stringify(found)}::jsonb) AS u ("workspaceId" text, "key" text)
      WHERE b."workspaceId" = u."workspaceId" AND b."key" = u."key" AND NOT EXISTS (
        SELECT FROM "File" f WHERE f."workspaceId" = b."workspaceId" AND f."blobKey" = b."key")
      RETURNING b."workspaceId", b."key"`;
  });
}

/** Deletes staged bytes that a process left behind when it died. */
export async function deleteAbandonedBytes({ staging }: Services): Promise<void> {
  await staging.deleteAbandoned();
}
