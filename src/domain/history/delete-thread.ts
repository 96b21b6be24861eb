import { z } from 'zod';
import { threadTopic } from '../../bus/bus.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { parse } from '../input.ts';
import { threadLimits } from '../limits.ts';
import { changeThread } from '../log/thread-change.ts';
import { cancelUnfinishedRuns } from '../run/run.ts';
import { transferFiles } from './forked-file.ts';

/** Cancels the runs of a thread and deletes it with its messages, runs, steps and events. Returns its ID. */
export async function deleteThread(ctx: DomainContext, input: unknown): Promise<string> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id } = parse(z.object({ id: z.string() }), input);
  if (!isId('Thread', id)) throw new NotFoundError(id);
  await changeThread(ctx, id, async (change) => {
    await cancelUnfinishedRuns(ctx, change);
    change.afterCommit(() => ctx.bus.publish(threadTopic(id), { kind: 'gap' }));
  });
  const { count } = await ctx.db.$transaction(
    async (tx) => {
      await transferFiles(tx, ctx.workspaceId, id);
      return tx.thread.deleteMany({ where: { id } });
    },
    { timeout: threadLimits.deletionSeconds * 1000 },
  );
  ctx.bus.publish(threadTopic(id), { kind: 'gap' });
  if (count === 0) throw new NotFoundError(id);
  return id;
}
