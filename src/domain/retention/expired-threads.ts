import { type Services, systemContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { deleteThread } from '../history/delete-thread.ts';

/** The threads that one query finds. */
const batchSize = 200;
const dayMs = 24 * 60 * 60 * 1000;

/** When a thread expires; null: its workspace has no time to live for threads. */
export function expiryOf(lastActiveAt: Date, threadTtlDays: number | null): Date | null {
  return threadTtlDays === null ? null : new Date(lastActiveAt.getTime() + threadTtlDays * dayMs);
}

/** Deletes threads past the time to live of their workspace. Works on all workspaces. Stops when the signal aborts. */
export async function deleteExpiredThreads(services: Services, signal: AbortSignal): Promise<void> {
  const workspaces = await services.database.workspace.findMany({ where: { threadTtlDays: { not: null } } });
  for (const { id: workspaceId, threadTtlDays } of workspaces) {
    const ctx = systemContext(services, workspaceId);
    for (let count = batchSize; count === batchSize; ) {
      const threads = await findExpired(services, workspaceId, threadTtlDays ?? 0);
      count = threads.length;
      for (const thread of threads) {
        if (signal.aborted) return;
        await deleteThread(ctx, thread).catch((error) => {
          // The thread was deleted meanwhile.
          if (!(error instanceof NotFoundError)) throw error;
        });
      }
    }
  }
}

/** By the clock of the database, which all workers share. */
const findExpired = ({ database }: Services, workspaceId: string, days: number) =>
  database.$queryRaw<Array<{ id: string }>>`
    SELECT "id" FROM "Thread"
    WHERE "workspaceId" = ${workspaceId} AND "lastActiveAt" < now() - make_interval(days => ${days}::int)
      AND "activeRunId" IS NULL AND "deletedAt" IS NULL
    LIMIT ${batchSize}::int`;
