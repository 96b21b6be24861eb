import { randomUUID } from 'node:crypto';
import { type File, Prisma } from '../../db/generated/client.ts';
import type { Services } from '../context.ts';

/** A file that this process has claimed, to read or to embed it. */
export type ClaimedFile = Pick<
  File,
  'workspaceId' | 'id' | 'blobKey' | 'mimeType' | 'ingestionClaim' | 'ingestionAttempts'
>;

/** The file was deleted, or another worker has claimed it. */
export class ClaimLostError extends Error {}

const claimed = Prisma.sql`f."workspaceId", f."id", f."blobKey", f."mimeType", f."ingestionClaim", f."ingestionAttempts"`;
const abandonedBefore = ({ timing }: Pick<Services, 'timing'>) => new Date(Date.now() - timing.ingestion.abandonedMs);

/**
 * Claims a file that is queued, or whose worker died. The workspace with the fewest files in progress comes first, then
 * the owner with the fewest, then the oldest file. Returns null when there is none.
 */
export async function claimWaitingFile({ database, timing }: Services): Promise<ClaimedFile | null> {
  const before = abandonedBefore({ timing });
  const [file] = await database.$queryRaw<ClaimedFile[]>`
    WITH busy AS (
      SELECT "workspaceId", "owner" FROM "File" WHERE "ingestion" = 'IN_PROGRESS' AND "ingestionAt" >= ${before}
    )
    UPDATE "File" f SET "ingestion" = 'IN_PROGRESS', "ingestionAt" = now(), "ingestionProgress" = 0,
      "ingestionClaim" = ${randomUUID()}, "ingestionAttempts" = f."ingestionAttempts" + 1
    FROM (
      SELECT w."workspaceId", w."id" FROM "File" w
      WHERE w."ingestion" = 'QUEUED' AND (w."ingestionAt" IS NULL OR w."ingestionAt" <= ${new Date()})
        OR w."ingestion" = 'IN_PROGRESS' AND w."ingestionAt" < ${before}
      ORDER BY (SELECT count(*) FROM busy b WHERE b."workspaceId" = w."workspaceId"),
        (SELECT count(*) FROM busy b WHERE b."workspaceId" = w."workspaceId" AND b."owner" IS NOT DISTINCT FROM w."owner"),
        w."createdAt"
      LIMIT 1 FOR UPDATE OF w SKIP LOCKED
    ) c WHERE f."workspaceId" = c."workspaceId" AND f."id" = c."id"
    RETURNING ${claimed}`;
  return file ?? null;
}

/**
 * Claims a file that has been read but not embedded: the one whose last attempt is the oldest. Returns null when there is
 * none.
 */
export async function claimUnembeddedFile({ database, timing }: Services): Promise<ClaimedFile | null> {
  const [file] = await database.$queryRaw<ClaimedFile[]>`
    UPDATE "File" f SET "ingestionAt" = now(), "ingestionClaim" = ${randomUUID()}
    FROM (
      SELECT "workspaceId", "id" FROM "File"
      WHERE "ingestion" = 'COMPLETED' AND "embeddingModel" IS NULL
        AND ("ingestionAt" IS NULL OR "ingestionAt" < ${abandonedBefore({ timing })})
      ORDER BY "ingestionAt" NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED
    ) c WHERE f."workspaceId" = c."workspaceId" AND f."id" = c."id"
    RETURNING ${claimed}`;
  return file ?? null;
}

/** The `ingestionAt` of a file that may be claimed at once, but after all others that may. */
export const lastInLine = (services: Pick<Services, 'timing'>) => abandonedBefore(services);

/** Updates a claimed file. Throws ClaimLostError. */
export async function updateClaimed(
  { database }: Services,
  { workspaceId, id, ingestionClaim }: ClaimedFile,
  data: Prisma.FileUncheckedUpdateManyInput,
): Promise<void> {
  const { count } = await database.file.updateMany({ where: { workspaceId, id, ingestionClaim }, data });
  if (count === 0) throw new ClaimLostError();
}

/**
 * Runs `work` with a heartbeat that keeps the claim of the file. The signal of `work` also aborts when the claim is lost,
 * with ClaimLostError.
 */
export async function whileClaimed(
  services: Services,
  file: ClaimedFile,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const lost = new AbortController();
  const beat = setInterval(() => {
    updateClaimed(services, file, { ingestionAt: new Date() }).catch((error) => {
      // A database that fails for a moment does not end the claim.
      if (error instanceof ClaimLostError) lost.abort(error);
    });
  }, services.timing.ingestion.heartbeatMs);
  try {
    await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    clearInterval(beat);
  }
}

/** Translates an error of a statement that writes passages: ClaimLostError when the file has been deleted. */
export const writingFault = (error: unknown): unknown =>
  error instanceof Prisma.PrismaClientKnownRequestError &&
  /23503|foreign key/i.test(JSON.stringify(error.meta ?? error.message))
    ? new ClaimLostError()
    : error;

/** Releases all claims. For the start on the embedded database: only one process can open it, so no other claim is alive. */
export async function releaseAllIngestions({ database }: Pick<Services, 'database'>): Promise<void> {
  await database.file.updateMany({
    where: { ingestion: 'IN_PROGRESS' },
    data: { ingestion: 'QUEUED', ingestionAt: null },
  });
  await database.file.updateMany({
    where: { ingestion: 'COMPLETED', ingestionAt: { not: null } },
    data: { ingestionAt: null },
  });
}
