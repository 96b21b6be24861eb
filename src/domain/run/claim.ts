import { threadTopic } from '../../bus/bus.ts';
import { claimLock } from '../../db/advisory-locks.ts';
import { Prisma } from '../../db/generated/client.ts';
import type { Services } from '../context.ts';
import { executingSql } from '../run-status.ts';
import { fitsSql, hasFewSlots, shareSql, type WorkerSlots } from './claim-share.ts';
import type { ClaimedRun } from './lease.ts';

const { sql } = Prisma;

/** The result of a claim. */
export interface Claimed {
  runs: ClaimedRun[];
  /** Whether claimable runs are left: for a worker with capacity, or for when their workspace or user has fewer. */
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

/** Runs that a worker may claim: as constants, which the planner can compare with the partial index. */
const claimable = Prisma.raw(`r."status" = 'QUEUED' AND r."isHead"`);
/** The columns of the index of claimable runs that `party` skips along. */
const partyColumns = Prisma.raw(`r."workspaceId", r."slotOwner", r."createdAt"`);

/**
 * Claims up to `limit` queued runs for a worker, over all workspaces. Of the heads of the threads' queues, those of the
 * workspaces with the fewest executing runs come first; within a workspace those of the end users with the fewest; of one
 * user the oldest. No workspace exceeds its `maxConcurrentRuns`, and nobody their share (`FairSlots`): a workspace of the
 * worker's slots, an end user of what the workspace may have. Besides `enterStatus` the only writer of a run's status,
 * under the same rule: QUEUED becomes IN_PROGRESS, together with its event.
 *
 * The parts of the statement, in order:
 * 1. `party`: each end user with claimable runs, and the age of the oldest. The index is skipped from user to user.
 * 2. `held`: who holds the slots of this worker. `executing`: who has executing runs, in all workers.
 * 3. `holder`: both and the claimable runs, by end user, with one pass instead of joins of thousands of users.
 * 4. `candidate`: what each end user may have, of what the workspace may have: `left` of its own limit, and `share` of this
 *    worker; and their place in the workspace.
 * 5. `head`: the oldest claimable runs of the first users. `turn` counts the runs of the user.
 * 6. `ranked`, `chosen`: up to `limit` of them by turn, each only if the rule holds with all before it.
 * 7. `locked`: the threads of the chosen runs, locked; a thread that another transaction holds is skipped.
 * 8. `moment`: the time of the claim.
 * 9. `claimed`: the runs, moved to IN_PROGRESS with a new fence, a lease, a start and an expiry.
 * 10. `entry`: the event of each claimed run. `counted`: the event's number, in the thread.
 * 11. `waiting`: whether more queued heads exist than were claimed.
 */
export async function claimQueuedRuns(
  { database, bus, timing }: Services,
  limit: number,
  slots: WorkerSlots,
): Promise<Claimed> {
  const free = Prisma.sql`${slots.free}::int`;
  const most = Prisma.sql`${limit}::int`;
  const share = hasFewSlots(slots) ? free : shareSql(free, sql`h."held"`);
  const fitsWorker = hasFewSlots(slots) ? sql`true` : fitsSql(sql`"inWorkspace" + "held"`, sql`${free} - "inAll"`);
  const [, rows] = await database.$transaction([
    database.$executeRaw`SELECT pg_advisory_xact_lock(${claimLock})`,
    database.$queryRaw<Array<ClaimedRun & { seq: number | null; isMoreWaiting: boolean }>>`
      WITH RECURSIVE party AS (
        (SELECT ${partyColumns} FROM "Run" r WHERE ${claimable} ORDER BY ${partyColumns} LIMIT 1)
        UNION ALL
        SELECT n.* FROM party p CROSS JOIN LATERAL (
          SELECT ${partyColumns} FROM "Run" r
          WHERE ${claimable} AND (r."workspaceId", r."slotOwner") > (p."workspaceId", p."slotOwner")
          ORDER BY ${partyColumns} LIMIT 1
        ) n
      ), held AS (
        SELECT * FROM jsonb_to_recordset(${JSON.stringify(slots.holders)}::jsonb) AS h ("workspaceId" text, "owner" text, "slots" int)
      ), executing AS (
        SELECT r."workspaceId", r."slotOwner", count(*)::int AS "runs" FROM "Run" r
        WHERE r."status" IN ${executingSql} AND r."workspaceId" IN (SELECT "workspaceId" FROM party) GROUP BY 1, 2
      ), holder AS (
        SELECT "workspaceId", "slotOwner", min("createdAt") AS "createdAt", sum("running")::int AS "running", sum("own")::int AS "own"
        FROM (
          SELECT "workspaceId", "slotOwner", "createdAt", 0 AS "running", 0 AS "own" FROM party
          UNION ALL SELECT "workspaceId", "slotOwner", NULL, "runs", 0 FROM executing
          UNION ALL SELECT "workspaceId", "owner", NULL, 0, "slots" FROM held
        ) u GROUP BY 1, 2
      ), candidate AS (
        SELECT *, row_number() OVER (PARTITION BY "workspaceId" ORDER BY "running", "createdAt") AS "place" FROM (
          SELECT *, CASE WHEN "slotOwner" = '' THEN least("left", "share")
            ELSE least(${shareSql(sql`"left"`, sql`"running"`)}, ${shareSql(sql`"share"`, sql`"own"`)}) END AS "allowed"
          FROM (
            SELECT h.*, w."maxRunSeconds", w."maxConcurrentRuns" - h."busy" AS "left", ${share} AS "share" FROM (
              SELECT *, (sum("running") OVER every)::int AS "busy", (sum("own") OVER every)::int AS "held"
              FROM holder WINDOW every AS (PARTITION BY "workspaceId")
            ) h JOIN "Workspace" w ON w."id" = h."workspaceId" AND w."deletedAt" IS NULL
            WHERE h."createdAt" IS NOT NULL
          ) h
        ) c WHERE "allowed" > 0
      ), head AS (
        SELECT c."workspaceId", c."slotOwner", c."maxRunSeconds", c."busy", c."held", c."left", c."share", c."running", c."own", h.*
        FROM candidate c CROSS JOIN LATERAL (
          SELECT r."id" AS "runId", r."threadId", r."createdAt", row_number() OVER (ORDER BY r."createdAt", r."id")::int AS "turn"
          FROM "Run" r WHERE r."workspaceId" = c."workspaceId" AND r."slotOwner" = c."slotOwner" AND ${claimable}
          ORDER BY r."createdAt", r."id" LIMIT least(c."allowed", ${most})
        ) h WHERE c."place" <= ${most}
      ), ranked AS (
        SELECT *, row_number() OVER (ORDER BY "busy" + "inWorkspace", "createdAt")::int AS "inAll" FROM (
          SELECT *, row_number() OVER (PARTITION BY "workspaceId" ORDER BY "running" + "turn", "createdAt")::int AS "inWorkspace"
          FROM head
        ) h WHERE "inWorkspace" <= least("left", "share")
      ), chosen AS (
        SELECT * FROM ranked WHERE "inAll" <= ${most} AND ${fitsWorker} AND ("slotOwner" = '' OR
          ${fitsSql(sql`"turn" + "running"`, sql`"left" - "inWorkspace"`)} AND ${fitsSql(sql`"turn" + "own"`, sql`"share" - "inWorkspace"`)})
      ), locked AS (
        SELECT t."workspaceId", t."id" AS "threadId", t."lastSeq" + 1 AS "seq", c."runId", c."maxRunSeconds" FROM "Thread" t
        JOIN chosen c ON c."workspaceId" = t."workspaceId" AND c."threadId" = t."id" AND c."runId" = t."activeRunId"
        FOR UPDATE OF t SKIP LOCKED
      ), moment AS (
        -- The time under the advisory lock, not the start of the transaction: no run starts before its predecessor has ended.
        SELECT date_trunc('milliseconds', clock_timestamp()) AS "claimedAt" FROM locked LIMIT 1
      ), claimed AS (
        UPDATE "Run" r SET "status" = 'IN_PROGRESS', "fence" = r."fence" + 1,
          "leasedUntil" = m."claimedAt" + ${timing.run.leaseMs}::int * interval '1 millisecond',
          "startedAt" = coalesce(r."startedAt", greatest(m."claimedAt", r."createdAt")),
          "expiresAt" = coalesce(r."startedAt", greatest(m."claimedAt", r."createdAt")) + make_interval(secs => l."maxRunSeconds")
        FROM locked l, moment m WHERE r."workspaceId" = l."workspaceId" AND r."id" = l."runId" AND r."status" = 'QUEUED'
        RETURNING ${runColumns}, l."seq", m."claimedAt"
      ), entry AS (
        INSERT INTO "Event" ("workspaceId", "threadId", "seq", "type", "runId", "value", "at")
        SELECT "workspaceId", "threadId", "seq", 'RUN_STATUS_CHANGED', "id", 'IN_PROGRESS', "claimedAt" FROM claimed
      ), counted AS (
        UPDATE "Thread" t SET "lastSeq" = c."seq" FROM claimed c
        WHERE t."workspaceId" = c."workspaceId" AND t."id" = c."threadId"
      ), waiting AS (
        SELECT (SELECT count(*) FROM claimed) < (
          SELECT count(*) FROM (SELECT FROM "Run" r WHERE ${claimable} LIMIT ${limit + 1}::int) w
        ) AS "isMoreWaiting"
      )
      SELECT c.*, w."isMoreWaiting" FROM waiting w LEFT JOIN claimed c ON true`,
  ]);
  const runs = rows.flatMap(({ isMoreWaiting: _more, seq, ...run }) => {
    if (seq === null) return [];
    const at = run.claimedAt.toISOString();
    const entry = { seq, type: 'RUN_STATUS_CHANGED', runId: run.id, value: 'IN_PROGRESS', at };
    bus.publish(threadTopic(run.threadId), { kind: 'events', seq, entries: [entry] });
    return [run];
  });
  return { runs, isMoreWaiting: rows[0]?.isMoreWaiting ?? false };
}
