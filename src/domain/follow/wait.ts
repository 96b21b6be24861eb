import { z } from 'zod';
import type { Run } from '../../db/generated/client.ts';
import { requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { WaitTimeoutError } from '../error.ts';
import { absentOr, integer, parse } from '../input.ts';
import { runLimits } from '../limits.ts';
import { findRun } from '../run/run.ts';
import { isAtRest } from '../run-status.ts';
import type { ThreadFeed } from './thread-feed.ts';

const waitInput = z.object({
  id: z.string(),
  timeoutSeconds: absentOr(integer(0, runLimits.waitSeconds, 'seconds')),
});

/**
 * Waits until a run has ended or waits for tool outputs, and returns it. Throws WaitTimeoutError after `timeoutSeconds`
 * (default 60), NotFoundError, and the reason of the signal when it aborts.
 */
export async function waitForRun(ctx: DomainContext, input: unknown, signal: AbortSignal): Promise<Run> {
  requireScope(ctx, 'RUNS_READ');
  const { id, timeoutSeconds = runLimits.defaultWaitSeconds } = parse(waitInput, input);
  const { threadId } = await findRun(ctx, id);
  const feed = ctx.feeds.acquire(ctx.workspaceId, threadId);
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
  try {
    for (;;) {
      const { run, seq } = await readRun(ctx, threadId, id);
      if (isAtRest(run.status)) return run;
      if (timeout.aborted) throw new WaitTimeoutError(run, timeoutSeconds);
      signal.throwIfAborted();
      await untilChanged(feed, id, seq, AbortSignal.any([signal, timeout]));
    }
  } finally {
    ctx.feeds.release(feed);
  }
}

/** The run, and the number of an event that is no newer than this read. */
async function readRun(ctx: DomainContext, threadId: string, id: string): Promise<{ run: Run; seq: number }> {
  const thread = await ctx.db.thread.findFirst({ where: { id: threadId, deletedAt: null }, select: { lastSeq: true } });
  return { run: await findRun(ctx, id), seq: thread?.lastSeq ?? 0 };
}

/** Resolves when the log has a new event of the run, when the thread is deleted, or when the signal aborts. */
async function untilChanged(feed: ThreadFeed, runId: string, after: number, signal: AbortSignal): Promise<void> {
  let seq = after;
  while (!signal.aborted) {
    const { version } = feed;
    const events = await feed.eventsAfter(seq);
    if (feed.isGone || events.some((event) => event.runId === runId)) return;
    seq = events.at(-1)?.seq ?? seq;
    await feed.changed(version, signal);
  }
}
