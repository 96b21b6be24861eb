import { randomUUID } from 'node:crypto';
import type { FairSlots, Party } from '../../async/fair-slots.ts';
import { type File, Prisma } from '../../db/generated/client.ts';
import type { Services } from '../context.ts';

/** A file that this process has claimed, to read or to embed it. */
export type ClaimedFile = Pick<
  File,
  'workspaceId' | 'id' | 'owner' | 'blobKey' | 'mimeType' | 'ingestionClaim' | 'ingestionAttempts'
>;

/** The file was deleted, or another worker has claimed it. */
export class ClaimLostError extends Error {}

const claimed = Prisma.sql`f."workspaceId", f."id", f."owner", f."blobKey", f."mimeType", f."ingestionClaim", f."ingestionAttempts"`;
/** The time before which a claim without a heartbeat is abandoned, by the clock of the database. */
const abandonedBefore = ({ timing }: Pick<Services, 'timing'>) =>
  Prisma.sql`now() - ${timing.ingestion.abandonedMs}::int * interval '1 millisecond'`;
const owner = Prisma.raw(`coalesce(f."owner", '')`);
const partyColumns = Prisma.sql`f."workspaceId", ${owner} AS "owner", f."createdAt"`;
const partyOrder = Prisma.sql`f."workspaceId", ${owner}, f."createdAt"`;
const isDue = Prisma.raw(`f."ingestion" = 'QUEUED' AND (f."ingestionAt" IS NULL OR f."ingestionAt" <= now())`);
/** The owners whose files are compared by a claim, and the files of each: more than workers claim at the same time. */
const compared = 32;

/** The time by the clock of the database, which all workers share, `ms` milliseconds from now. */
export async function databaseTime({ database }: Pick<Services, 'database'>, ms = 0): Promise<Date> {
  const [row] = await database.$queryRaw<[{ at: Date }]>`SELECT now() + ${ms}::int * interval '1 millisecond' AS "at"`;
  return row.at;
}

/** Queues the files again whose worker died. Reads over all workspaces, as the workers do. */
export async function queueAbandonedFiles(services: Services): Promise<void> {
  await services.database.$executeRaw`
    UPDATE "File" SET "ingestion" = 'QUEUED', "ingestionAt" = NULL, "ingestionClaim" = NULL
    WHERE "ingestion" = 'IN_PROGRESS' AND "ingestionAt" < ${abandonedBefore(services)}`;
}

/**
 * Claims a queued file. The workspace with the fewest files in progress comes first, then the owner with the fewest, then
 * the oldest file. Nobody exceeds their share of the `lanes` of this process. Returns null when there is no file to claim.
 *
 * The parts of the statement: `party` are the owners with queued files (the index is skipped from owner to owner), `busy`
 * those with files in progress, `first` the owners whose turn it is, and `chosen` their oldest files.
 */
export async function claimWaitingFile({ database }: Services, lanes: FairSlots): Promise<ClaimedFile | null> {
  const isFull = (party: Party) => !lanes.admits(party);
  const fullWorkspaces = lanes.holders
    .map(({ workspaceId }) => workspaceId)
    .filter((id) => isFull({ workspaceId: id, owner: '' }));
  const fullOwners = JSON.stringify(lanes.holders.filter(isFull));
  const [file] = await database.$queryRaw<ClaimedFile[]>`
    WITH RECURSIVE party AS (
      (SELECT ${partyColumns} FROM "File" f WHERE f."ingestion" = 'QUEUED' ORDER BY ${partyOrder} LIMIT 1)
      UNION ALL
      SELECT n.* FROM party p CROSS JOIN LATERAL (
        SELECT ${partyColumns} FROM "File" f
        WHERE f."ingestion" = 'QUEUED' AND (f."workspaceId", ${owner}) > (p."workspaceId", p."owner")
        ORDER BY ${partyOrder} LIMIT 1
      ) n
    ), busy AS (
      SELECT f."workspaceId", ${owner} AS "owner", count(*) AS "files" FROM "File" f WHERE f."ingestion" = 'IN_PROGRESS' GROUP BY 1, 2
    ), first AS (
      SELECT p."workspaceId", p."owner", coalesce(w."files", 0) AS "inWorkspace", coalesce(b."files", 0) AS "own"
      FROM party p
      LEFT JOIN busy b ON b."workspaceId" = p."workspaceId" AND b."owner" = p."owner"
      LEFT JOIN (SELECT "workspaceId", sum("files") AS "files" FROM busy GROUP BY 1) w ON w."workspaceId" = p."workspaceId"
      WHERE p."workspaceId" <> ALL (${fullWorkspaces}::text[]) AND (p."workspaceId", p."owner") NOT IN (
        SELECT u."workspaceId", u."owner" FROM jsonb_to_recordset(${fullOwners}::jsonb) AS u ("workspaceId" text, "owner" text))
      ORDER BY "inWorkspace", "own", p."createdAt" LIMIT ${compared}::int
    ), chosen AS (
      SELECT f."workspaceId", f."id" FROM first p CROSS JOIN LATERAL (
        SELECT f."id" FROM "File" f WHERE f."workspaceId" = p."workspaceId" AND ${owner} = p."owner" AND ${isDue}
        ORDER BY f."createdAt" LIMIT ${compared}::int
      ) q
      JOIN "File" f ON f."workspaceId" = p."workspaceId" AND f."id" = q."id" AND ${isDue}
      ORDER BY p."inWorkspace", p."own", f."createdAt" LIMIT 1 FOR UPDATE OF f SKIP LOCKED
    )
    UPDATE "File" f SET "ingestion" = 'IN_PROGRESS', "ingestionAt" = now(), "ingestionProgress" = 0,
      "ingestionClaim" = ${randomUUID()}, "ingestionAttempts" = f."ingestionAttempts" + 1
    FROM chosen c WHERE f."workspaceId" = c."workspaceId" AND f."id" = c."id"
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
export const lastInLine = (services: Pick<Services, 'database' | 'timing'>): Promise<Date> =>
  databaseTime(services, -services.timing.ingestion.abandonedMs);

/** Updates a claimed file. Throws ClaimLostError. */
export async function updateClaimed(
  { database }: Services,
  { workspaceId, id, ingestionClaim }: ClaimedFile,
  data: Prisma.FileUncheckedUpdateManyInput,
): Promise<void> {
  const { count } = await database.file.updateMany({ where: { workspaceId, id, ingestionClaim }, data });
  if (count === 0) throw new ClaimLostError();
}

/** Renews the claim of a file. Throws ClaimLostError. */
async function renewClaim({ database }: Services, { workspaceId, id, ingestionClaim }: ClaimedFile): Promise<void> {
  const count = await database.$executeRaw`
    UPDATE "File" SET "ingestionAt" = now()
    WHERE "workspaceId" = ${workspaceId} AND "id" = ${id} AND "ingestionClaim" = ${ingestionClaim}`;
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
    renewClaim(services, file).catch((error) => {
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
