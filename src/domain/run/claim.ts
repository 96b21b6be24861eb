import { threadTopic } from '../../bus/bus.ts';
import { claimLock } from '../../db/advisory-locks.ts';
import { Prisma, type Run } from '../../db/generated/client.ts';
import type { Services } from '../context.ts';
import { executingSql } from '../run-status.ts';

/** The result of a claim. */
export interface Claimed {
  runs: Run[];
  /**
   * Whether claimable runs are left: for a worker with capacity, or for when their workspace has fewer runs executing.
   */
  isMoreWaiting: boolean;
}

/**
 * The columns that a claim returns. A list, because `r.*` would change the result of the prepared statement, and break
 * running instances, when a newer instance adds a column.
 */
const runColumns = Prisma.raw(
  Object.keys(Prisma.RunScalarFieldEnum)
    .map((name) => `r."${name}"`)
    .join(', '),
);

/**
 * Claims up to `limit` queued runs for this worker, over all workspaces. Of the heads of the threads' queues, those of
 * the workspaces with the fewest executing runs come first, so that a busy workspace starves no other; within a
 * workspace the oldest. No workspace exceeds its `maxConcurrentRuns`. Besides `enterStatus` the only writer of a run's
 * status, under the same rule: QUEUED becomes IN_PROGRESS, together with its event.
 *
 * The parts of the statement, in order:
 * 1. `workspace`: the workspaces with queued runs, and the number of their executing runs (`busy`).
 * 2. `head`: fairness and limits. The oldest claimable runs of each workspace, as many as its limit leaves. `turn` is
 *    the number of executing runs that the workspace would then have.
 * 3. `chosen`: up to `limit` of them, by turn.
 * 4. `locked`: the threads of the chosen runs, locked; a thread that another transaction holds is skipped.
 * 5. `moment`: the time of the claim.
 * 6. `claimed`: the runs, moved to IN_PROGRESS with a new fence, a lease, a start and an expiry.
 * 7. `entry`: the event of each claimed run.
 * 8. `counted`: the event's number, in the thread.
 * 9. `waiting`: whether more queued heads exist than were claimed.
 */
export async function claimQueuedRuns({ database, bus, timing }: Services, limit: number): Promise<Claimed> {
  const leasedUntil = new Date(Date.now() + timing.run.leaseMs);
  const [, rows] = await database.$transaction([
    database.$executeRaw`SELECT pg_advisory_xact_lock(${claimLock})`,
    database.$queryRaw<Array<Run & { seq: number | null; now: Date; isMoreWaiting: boolean }>>`
      WITH workspace AS (
        SELECT w."id", w."maxConcurrentRuns", w."maxRunSeconds", (
          SELECT count(*) FROM "Run" r WHERE r."workspaceId" = w."id" AND r."status" IN ${executingSql}
        ) AS "busy"
        FROM "Workspace" w
        WHERE w."deletedAt" IS NULL AND EXISTS (SELECT FROM "Run" r WHERE r."workspaceId" = w."id" AND r."status" = 'QUEUED')
      ), head AS (
        SELECT w."id" AS "workspaceId", w."maxRunSeconds", h.*,
          w."busy" + row_number() OVER (PARTITION BY w."id" ORDER BY h."createdAt", h."runId") AS "turn"
        FROM workspace w CROSS JOIN LATERAL (
          SELECT r."id" AS "runId", r."threadId", r."createdAt" FROM "Run" r
          JOIN "Thread" t ON t."workspaceId" = r."workspaceId" AND t."id" = r."threadId" AND t."activeRunId" = r."id"
          WHERE r."workspaceId" = w."id" AND r."status" = 'QUEUED'
          ORDER BY r."createdAt", r."id" LIMIT greatest(least(w."maxConcurrentRuns" - w."busy", ${limit}::int), 0)
        ) h
      ), chosen AS (
        SELECT * FROM head ORDER BY "turn", "createdAt" LIMIT ${limit}::int
      ), locked AS (
        SELECT t."workspaceId", t."id" AS "threadId", t."lastSeq" + 1 AS "seq", c."runId", c."maxRunSeconds" FROM "Thread" t
        JOIN chosen c ON c."workspaceId" = t."workspaceId" AND c."threadId" = t."id" AND c."runId" = t."activeRunId"
        FOR UPDATE OF t SKIP LOCKED
      ), moment AS (
        -- The time under the advisory lock, not the start of the transaction: no run starts before its predecessor has ended.
        SELECT date_trunc('milliseconds', clock_timestamp()) AS "now" FROM locked LIMIT 1
      ), claimed AS (
        UPDATE "Run" r SET "status" = 'IN_PROGRESS', "fence" = r."fence" + 1, "leasedUntil" = ${leasedUntil}::timestamptz,
          "startedAt" = coalesce(r."startedAt", greatest(m."now", r."createdAt")),
          "expiresAt" = coalesce(r."startedAt", greatest(m."now", r."createdAt")) + make_interval(secs => l."maxRunSeconds")
        FROM locked l, moment m WHERE r."workspaceId" = l."workspaceId" AND r."id" = l."runId" AND r."status" = 'QUEUED'
        RETURNING ${runColumns}, l."seq", m."now"
      ), entry AS (
        INSERT INTO "Event" ("workspaceId", "threadId", "seq", "type", "runId", "value", "at")
        SELECT "workspaceId", "threadId", "seq", 'RUN_STATUS_CHANGED', "id", 'IN_PROGRESS', "now" FROM claimed
      ), counted AS (
        UPDATE "Thread" t SET "lastSeq" = c."seq" FROM claimed c
        WHERE t."workspaceId" = c."workspaceId" AND t."id" = c."threadId"
      ), waiting AS (
        SELECT (SELECT count(*) FROM claimed) < (
          SELECT count(*) FROM (
            SELECT FROM "Run" r JOIN "Thread" t
              ON t."workspaceId" = r."workspaceId" AND t."id" = r."threadId" AND t."activeRunId" = r."id"
            WHERE r."status" = 'QUEUED' LIMIT ${limit + 1}::int
          ) w
        ) AS "isMoreWaiting"
      )
      SELECT c.*, w."isMoreWaiting" FROM waiting w LEFT JOIN claimed c ON true`,
  ]);
  const runs = rows.flatMap(({ isMoreWaiting: _more, now, seq, ...run }) => {
    if (seq === null) return [];
    const entry = { seq, type: 'RUN_STATUS_CHANGED', runId: run.id, value: 'IN_PROGRESS', at: now.toISOString() };
    bus.publish(threadTopic(run.threadId), { kind: 'events', seq, entries: [entry] });
    return [run];
  });
  return { runs, isMoreWaiting: rows[0]?.isMoreWaiting ?? false };
}
