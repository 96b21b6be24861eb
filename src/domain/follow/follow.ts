import type { IteratorSource } from '../../async/iterator.ts';
import type { Run } from '../../db/generated/client.ts';
import { isUnavailable } from '../../db/unavailable.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { threadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { stillOpen } from '../log/thread-change.ts';
import { findRun } from '../run/run.ts';
import { isTerminal } from '../run-status.ts';
import { type CursorScope, decodeCursor } from './cursor.ts';
import { type Checkpoint, type FeedItem, Follower, type OpenText, openTexts } from './follower.ts';
import type { ThreadFeed } from './thread-feed.ts';

/**
 * The texts that are open at each position, in the order in which they were opened; with `runId` those of the run only.
 */
export async function openTextsAt(
  ctx: DomainContext,
  positions: ReadonlyArray<{ threadId: string; seq: number; runId: string | null }>,
): Promise<OpenText[][]> {
  const openers = await ctx.db.event.findMany({
    where: {
      OR: positions.map(({ threadId, seq }) => ({
        threadId,
        closedSeq: { gt: seq, lte: stillOpen },
        seq: { lte: seq },
      })),
    },
    orderBy: [{ threadId: 'asc' }, { seq: 'asc' }],
  });
  return positions.map(({ threadId, seq, runId }) =>
    openers
      .filter((event) => event.threadId === threadId && event.seq <= seq && (event.closedSeq ?? 0) > seq)
      .filter((event) => runId === null || event.runId === runId)
      .flatMap(openTexts),
  );
}

/** The checkpoint at which a follower starts: after a cursor, or after the event `from`. */
async function startAt(
  ctx: DomainContext,
  threadId: string,
  run: Run | null,
  after: string | null,
  from: number,
): Promise<Checkpoint> {
  if (after === null) return { seq: from, open: run ? [] : await caughtUp(ctx, threadId, from) };
  const { seq, offsets, runNumber } = decodeCursor(threadId, after);
  const where = { id: threadId, deletedAt: null };
  const thread = await ctx.db.thread.findFirstOrThrow({ where, select: { lastSeq: true } });
  const cursorRun = runNumber === null ? null : await ctx.db.run.findFirst({ where: { threadId, number: runNumber } });
  // A position that does not exist is refused like a malformed cursor.
  if (seq > thread.lastSeq || (runNumber !== null && !cursorRun)) decodeCursor(threadId, '');
  const [open = []] = await openTextsAt(ctx, [{ threadId, seq, runId: cursorRun?.id ?? null }]);
  for (const [index, text] of open.entries()) text.offset = offsets[index] ?? 0;
  return { seq, open: run ? open.filter(({ opener }) => opener.runId === run.id) : open };
}

/** The open texts with their current lengths as offsets, so that a follower without a cursor gets only later deltas. */
async function caughtUp(ctx: DomainContext, threadId: string, seq: number): Promise<OpenText[]> {
  const [open = []] = await openTextsAt(ctx, [{ threadId, seq, runId: null }]);
  const feed = ctx.feeds.acquire(ctx.workspaceId, threadId);
  try {
    for (const text of open) text.offset = (await feed.textOf(text)).length;
    return open;
  } finally {
    ctx.feeds.release(feed);
  }
}

/** What to follow, and from where. */
interface FollowTarget {
  scope: CursorScope;
  /** null: the whole thread. */
  run: Run | null;
  /** The cursor to resume from. */
  after: string | null;
  /** The number of the event after which a stream without a cursor starts. */
  from: number;
}

/** The feed items of a target. The position is read with the first item. */
function feedItems(ctx: DomainContext, target: FollowTarget, signal: AbortSignal): IteratorSource<FeedItem> {
  const { scope, run, after, from } = target;
  let feed: ThreadFeed | null = null;
  let follower: Follower | null = null;
  let isOver = false;

  /** Returns null when there is nothing to follow. */
  const start = async (): Promise<Follower | null> => {
    const checkpoint = await startAt(ctx, scope.threadId, run, after, from);
    if (run && (await hasNothingMore(ctx, run, checkpoint.seq))) return null;
    if (isOver) return null;
    feed = ctx.feeds.acquire(ctx.workspaceId, scope.threadId);
    return new Follower({ feed, catchUp: ctx.feeds.catchUp, signal }, scope, run, checkpoint);
  };
  const close = async (): Promise<void> => {
    isOver = true;
    follower?.releaseBudget();
    if (feed) ctx.feeds.release(feed);
    feed = null;
  };
  /** The next item; null: the stream has ended. Waits while the database is unavailable, but not through a long outage. */
  const nextItem = async (): Promise<FeedItem | null> => {
    for (let failed = 1; !isOver; failed += 1) {
      try {
        follower ??= await start();
        return (await follower?.next()) ?? null;
      } catch (error) {
        if (!isUnavailable(error) || !(await ctx.availability.untilBackSoon(failed))) throw error;
      }
    }
    return null;
  };
  const next = async (): Promise<IteratorResult<FeedItem, undefined>> => {
    try {
      const item = await nextItem();
      if (item && !isOver) return { done: false, value: item };
    } catch (error) {
      await close();
      throw error;
    }
    await close();
    return { done: true, value: undefined };
  };
  return { next, close };
}

/** Whether the run has ended and has no event after `seq`. */
async function hasNothingMore(ctx: DomainContext, run: Run, seq: number): Promise<boolean> {
  if (!isTerminal(run.status)) return false;
  const where = { threadId: run.threadId, runId: run.id, seq: { gt: seq } };
  return (await ctx.db.event.findFirst({ where, select: { seq: true } })) === null;
}

/**
 * Follows a run: all its feed items, in order and without gaps, from its first event or from a cursor up to its terminal
 * status. Adjacent deltas of a text are joined when the subscriber is slow. Ends when the signal aborts.
 * Throws NotFoundError, and InvalidInputError for a cursor that is malformed or belongs to another thread.
 */
export async function followRun(
  ctx: DomainContext,
  runId: string,
  after: string | null,
  signal: AbortSignal,
): Promise<IteratorSource<FeedItem>> {
  requireScope(ctx, 'RUNS_READ');
  const run = await findRun(ctx, runId);
  if (after !== null) decodeCursor(run.threadId, after);
  const scope = { threadId: run.threadId, runNumber: run.number };
  return feedItems(ctx, { scope, run, after, from: run.firstSeq - 1 }, signal);
}

/** Follows a whole thread, without an end. Without a cursor it starts with the next feed item. */
export async function followThread(
  ctx: DomainContext,
  threadId: string,
  after: string | null,
  signal: AbortSignal,
): Promise<IteratorSource<FeedItem>> {
  requireScope(ctx, 'THREADS_READ');
  requireScope(ctx, 'RUNS_READ');
  const where = { id: threadId, ...threadsVisibleTo(ctx.actor) };
  const thread = isId('Thread', threadId) ? await ctx.db.thread.findFirst({ where, select: { lastSeq: true } }) : null;
  if (!thread) throw new NotFoundError(threadId);
  if (after !== null) decodeCursor(threadId, after);
  return feedItems(ctx, { scope: { threadId, runNumber: null }, run: null, after, from: thread.lastSeq }, signal);
}
