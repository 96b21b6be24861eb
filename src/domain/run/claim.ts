import { threadTopic } from '../../bus/bus.ts';
import { claimLock } from '../../db/advisory-locks.ts';
import type { Run } from '../../db/generated/client.ts';
import type { Services } from '../context.ts';
import { executingSql } from '../run-status.ts';

/** What came of claiming. */
export interface Claimed {
  runs: Run[];
  /** Whether runs are left that could be claimed: now, when there is room, or when their workspace has fewer under way. */
  isMoreWaiting: boolean;
}

/**
 * Takes up to `limit` queued runs for this worker: of the heads of all threads, those of the workspaces with the fewest
 * runs under way come first, so that a busy workspace starves nobody; in a workspace the oldest. No workspace gets more
 * than its `maxConcurrentRuns`. Beside `enterStatus` the one writer of a run's status, and bound by the same rule: only
 * QUEUED becomes IN_PROGRESS, together with its event. Looks over all workspaces: a worker serves them all.
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
        -- Not when the claim was asked for, but now that its turn has come: no run starts before the one ahead of it ended.
        SELECT date_trunc('milliseconds', clock_timestamp()) AS "now" FROM locked LIMIT 1
      ), claimed AS (
        UPDATE "Run" r SET "status" = 'IN_PROGRESS', "fence" = r."fence" + 1, "leasedUntil" = ${leasedUntil}::timestamptz,
          "startedAt" = coalesce(r."startedAt", greatest(m."now", r."createdAt")),
          "expiresAt" = coalesce(r."startedAt", greatest(m."now", r."createdAt")) + make_interval(secs => l."maxRunSeconds")
        FROM locked l, moment m WHERE r."workspaceId" = l."workspaceId" AND r."id" = l."runId" AND r."status" = 'QUEUED'
        RETURNING r.*, l."seq", m."now"
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
