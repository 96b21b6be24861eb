import { z } from 'zod';
import type { Thread } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { threadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { absentOr, integer, parse } from '../input.ts';
import { threadLimits } from '../limits.ts';

/** The name of a viewer in `ThreadView`. Keys and end users cannot have the same. */
function viewerOf(actor: Actor): string {
  if (actor.kind === 'USER') return `user:${actor.userId}`;
  return actor.kind === 'API_KEY' ? `key:${actor.keyId}` : 'system';
}

const readInput = z.object({ threadId: z.string(), position: absentOr(integer(0, 2_147_483_647)) });
const pinInput = z.object({ threadId: z.string(), pinned: z.boolean() });

async function visibleThread(ctx: DomainContext, id: string): Promise<Thread> {
  requireScope(ctx, 'THREADS_READ');
  const where = { id, ...threadsVisibleTo(ctx.actor) };
  const thread = isId('Thread', id) ? await ctx.db.thread.findFirst({ where }) : null;
  if (!thread) throw new NotFoundError(id);
  return thread;
}

/**
 * Marks the messages of a thread as read by the actor, up to a position, by default the last one. A lower position than before
 * changes nothing.
 */
export async function markThreadRead(ctx: DomainContext, input: unknown): Promise<Thread> {
  const { threadId, position } = parse(readInput, input);
  const thread = await visibleThread(ctx, threadId);
  const through = Math.min(position ?? thread.lastPosition, thread.lastPosition);
  await ctx.db.$executeRaw`
    INSERT INTO "ThreadView" AS v ("workspaceId", "threadId", "viewer", "readThrough")
    VALUES (${ctx.workspaceId}, ${threadId}, ${viewerOf(ctx.actor)}, ${through})
    ON CONFLICT ("workspaceId", "threadId", "viewer")
    DO UPDATE SET "readThrough" = greatest(v."readThrough", excluded."readThrough")`;
  return thread;
}

/** Pins a thread for the actor, or removes the pin. Pinning again keeps the time of the first pin. */
export async function pinThread(ctx: DomainContext, input: unknown): Promise<Thread> {
  const { threadId, pinned } = parse(pinInput, input);
  const thread = await visibleThread(ctx, threadId);
  await ctx.db.$executeRaw`
    INSERT INTO "ThreadView" AS v ("workspaceId", "threadId", "viewer", "pinnedAt")
    VALUES (${ctx.workspaceId}, ${threadId}, ${viewerOf(ctx.actor)}, CASE WHEN ${pinned} THEN date_trunc('milliseconds', clock_timestamp()) END)
    ON CONFLICT ("workspaceId", "threadId", "viewer")
    DO UPDATE SET "pinnedAt" = CASE WHEN ${pinned} THEN coalesce(v."pinnedAt", excluded."pinnedAt") END`;
  return thread;
}

/** What the actor has seen of a thread. */
interface View {
  /** Answers that the actor has not read, `threadLimits.unread` at most. */
  unread: number;
  pinnedAt: Date | null;
}

/** What the actor has seen of each thread, with one statement. */
export async function viewsOfThreads(ctx: DomainContext, ids: readonly string[]): Promise<View[]> {
  const rows = await ctx.db.$queryRaw<Array<View & { id: string }>>`
    SELECT t."id", v."pinnedAt", (
      SELECT count(*)::int FROM (
        SELECT 1 FROM "Message" m
        WHERE m."workspaceId" = ${ctx.workspaceId} AND m."threadId" = t."id" AND m."position" > coalesce(v."readThrough", 0)
          AND m."role" = 'ASSISTANT' AND m."status" <> 'IN_PROGRESS'
        LIMIT ${threadLimits.unread}
      ) u
    ) AS "unread"
    FROM unnest(${ids}::text[]) AS t ("id")
    LEFT JOIN "ThreadView" v ON v."workspaceId" = ${ctx.workspaceId} AND v."threadId" = t."id" AND v."viewer" = ${viewerOf(ctx.actor)}`;
  const views = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => views.get(id) ?? { unread: 0, pinnedAt: null });
}

/** The `where` for threads that the actor has pinned, or has not. */
export function pinnedBy(ctx: DomainContext, pinned: boolean) {
  const views = { viewer: viewerOf(ctx.actor), pinnedAt: { not: null } };
  return { views: pinned ? { some: views } : { none: views } };
}
