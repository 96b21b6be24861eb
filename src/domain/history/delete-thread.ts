import { z } from 'zod';
import { threadTopic } from '../../bus/bus.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { parse } from '../input.ts';
import { changeThread } from '../log/thread-change.ts';
import { cancelUnfinishedRuns } from '../run/run.ts';
import { releaseForks, transferFiles } from './forked-file.ts';

/**
 * Cancels the runs of a thread and marks it as deleted: it, its messages, runs, steps and the files that its runs wrote are
 * invisible at once, and its streams end. Its rows are purged in the background. Returns its ID.
 */
export async function deleteThread(ctx: DomainContext, input: unknown): Promise<string> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id } = parse(z.object({ id: z.string() }), input);
  if (!isId('Thread', id)) throw new NotFoundError(id);
  await changeThread(ctx, id, async (change) => {
    await cancelUnfinishedRuns(ctx, change);
    await transferFiles(change.tx, ctx.workspaceId, id);
    await releaseForks(change.tx, ctx.workspaceId, id);
    await change.tx.thread.updateMany({ where: { id }, data: { deletedAt: change.now } });
    change.afterCommit(() => ctx.bus.publish(threadTopic(id), { kind: 'gap' }));
  });
  return id;
}
