import { z } from 'zod';
import type { Run } from '../db/generated/client.ts';
import { requireScope } from './access.ts';
import type { DomainContext } from './context.ts';
import { WaitTimeoutError } from './error.ts';
import { absentOr, parse } from './input.ts';
import { findRun } from './run.ts';
import { isAtRest } from './run-status.ts';

const waitInput = z.object({
  id: z.string(),
  timeoutSeconds: absentOr(z.int().min(0, 'At least 0 s, please').max(600, 'At most 600 s, please')),
});

/**
 * The run, as soon as it has ended or waits for tool outputs. Throws WaitTimeoutError when that takes longer than
 * `timeoutSeconds` (default 60), NotFoundError, and the signal's reason when the caller goes.
 */
export async function waitForRun(ctx: DomainContext, input: unknown, signal: AbortSignal): Promise<Run> {
  requireScope(ctx, 'RUNS_READ');
  const { id, timeoutSeconds = 60 } = parse(waitInput, input);
  const { threadId } = await findRun(ctx, id);
  const feed = ctx.feeds.acquire(ctx.workspaceId, threadId);
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
  const either = AbortSignal.any([signal, timeout]);
  try {
    let seq = 0;
    for (;;) {
      const { version } = feed;
      const events = seq === 0 ? null : await feed.eventsAfter(seq);
      // The row is read at first, and again only when the log says that something happened to it.
      if (events === null || feed.isGone || events.some(({ runId }) => runId === id)) {
        const thread = await ctx.db.thread.findFirst({ where: { id: threadId }, select: { lastSeq: true } });
        const run = await findRun(ctx, id);
        if (isAtRest(run.status)) return run;
        if (timeout.aborted) throw new WaitTimeoutError(run, timeoutSeconds);
        seq = thread?.lastSeq ?? seq;
      } else {
        if (timeout.aborted) throw new WaitTimeoutError(await findRun(ctx, id), timeoutSeconds);
        seq = events.at(-1)?.seq ?? seq;
      }
      signal.throwIfAborted();
      await feed.changed(version, either);
    }
  } finally {
    ctx.feeds.release(feed);
  }
}
