import { z } from 'zod';
import type { Run } from '../../db/generated/client.ts';
import { requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { WaitTimeoutError } from '../error.ts';
import { absentOr, parse } from '../input.ts';
import { findRun } from '../run/run.ts';
import { isAtRest } from '../run-status.ts';
import type { ThreadFeed } from './thread-feed.ts';

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

/** The run, and an event of its thread that is no newer than what was read. */
async function readRun(ctx: DomainContext, threadId: string, id: string): Promise<{ run: Run; seq: number }> {
  const thread = await ctx.db.thread.findFirst({ where: { id: threadId }, select: { lastSeq: true } });
  return { run: await findRun(ctx, id), seq: thread?.lastSeq ?? 0 };
}

/** Resolves when the log tells of the run again, when its thread is gone, or when the signal aborts. */
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
