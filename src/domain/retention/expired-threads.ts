import { type Services, systemContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { deleteThread } from '../history/delete-thread.ts';

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
    const before = new Date(Date.now() - (threadTtlDays ?? 0) * dayMs);
    const threads = await ctx.db.thread.findMany({
      where: { lastActiveAt: { lt: before }, activeRunId: null },
      select: { id: true },
    });
    for (const thread of threads) {
      if (signal.aborted) return;
      await deleteThread(ctx, thread).catch((error) => {
        // The thread was deleted meanwhile.
        if (!(error instanceof NotFoundError)) throw error;
      });
    }
  }
}
