import { type Services, systemContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { deleteThread } from '../history/delete-thread.ts';

const dayMs = 24 * 60 * 60 * 1000;

/** When a thread expires that was last active then; null when its workspace keeps threads for good. */
export function expiryOf(lastActiveAt: Date, threadTtlDays: number | null): Date | null {
  return threadTtlDays === null ? null : new Date(lastActiveAt.getTime() + threadTtlDays * dayMs);
}

/** Deletes threads that were last active longer ago than their workspace keeps them. Serves all workspaces; stops when
 * the signal aborts. */
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
        // Somebody else was faster.
        if (!(error instanceof NotFoundError)) throw error;
      });
    }
  }
}
