import type { IteratorSource } from '../../async/iterator.ts';
import type { Run } from '../../db/generated/client.ts';
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

/** The texts that were open at each of some positions, in the order in which they were opened; those of a run if given. */
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

/** Where a follower begins: after a cursor, or at `from`. */
async function startAt(
  ctx: DomainContext,
  threadId: string,
  run: Run | null,
  after: string | null,
  from: number,
): Promise<Checkpoint> {
  if (after === null) return { seq: from, open: run ? [] : await caughtUp(ctx, threadId, from) };
  const { seq, offsets, runNumber } = decodeCursor(threadId, after);
  const thread = await ctx.db.thread.findFirstOrThrow({ where: { id: threadId }, select: { lastSeq: true } });
  const counted = runNumber === null ? null : await ctx.db.run.findFirst({ where: { threadId, number: runNumber } });
  if (seq > thread.lastSeq || (runNumber !== null && !counted)) decodeCursor(threadId, '');
  const [open = []] = await openTextsAt(ctx, [{ threadId, seq, runId: counted?.id ?? null }]);
  for (const [index, text] of open.entries()) text.offset = offsets[index] ?? 0;
  return { seq, open: run ? open.filter(({ opener }) => opener.runId === run.id) : open };
}

/** The texts that grow at the moment, each read to where it is now: "from now on" starts behind what is written. */
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

/** What is followed, and from where. */
interface FollowTarget {
  scope: CursorScope;
  run: Run | null;
  after: string | null;
  /** The number of the event after which it begins without a cursor. */
  from: number;
}

/**
 * The feed items of one subscription. A source and not a generator: every item passes here for each subscriber, and a
 * generator's `return` would wait for the item that it waits for.
 */
class EventSource implements IteratorSource<FeedItem> {
  readonly #ctx: DomainContext;
  readonly #followed: FollowTarget;
  readonly #signal: AbortSignal;
  #follower: Follower | null = null;
  #feed: ThreadFeed | null = null;
  #isOver = false;

  constructor(ctx: DomainContext, followed: FollowTarget, signal: AbortSignal) {
    this.#ctx = ctx;
    this.#followed = followed;
    this.#signal = signal;
  }

  async next(): Promise<IteratorResult<FeedItem, undefined>> {
    try {
      if (!this.#isOver) this.#follower ??= await this.#begin();
      const item = this.#isOver ? null : ((await this.#follower?.next()) ?? null);
      if (item && !this.#isOver) return { done: false, value: item };
    } catch (error) {
      await this.close();
      throw error;
    }
    await this.close();
    return { done: true, value: undefined };
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#follower?.releaseBudget();
    if (this.#feed) this.#ctx.feeds.release(this.#feed);
    this.#feed = null;
  }

  /** Opens the follower; null: the run has ended and the cursor is behind its last event. */
  async #begin(): Promise<Follower | null> {
    const { scope, run, after, from } = this.#followed;
    const place = await startAt(this.#ctx, scope.threadId, run, after, from);
    if (run && (await hasNothingMore(this.#ctx, run, place.seq))) return null;
    if (this.#isOver) return null;
    const { feeds, workspaceId } = this.#ctx;
    this.#feed = feeds.acquire(workspaceId, scope.threadId);
    return new Follower({ feed: this.#feed, catchUp: feeds.catchUp, signal: this.#signal }, scope, run, place);
  }
}

/** Whether a cursor is behind the end of the run. */
async function hasNothingMore(ctx: DomainContext, run: Run, seq: number): Promise<boolean> {
  if (!isTerminal(run.status)) return false;
  const where = { threadId: run.threadId, runId: run.id, seq: { gt: seq } };
  return (await ctx.db.event.findFirst({ where, select: { seq: true } })) === null;
}

/**
 * Every event of a run, in order and without a gap: from its first, or from the one after a cursor, to its terminal
 * status. Neighbouring deltas of a text come joined when the reader is slow. Ends when the signal aborts.
 * Throws NotFoundError, and InvalidInputError for a cursor of another thread.
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
  return new EventSource(ctx, { scope, run, after, from: run.firstSeq - 1 }, signal);
}

/** The same for a whole thread; without a cursor from now on, and without an end. */
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
  return new EventSource(ctx, { scope: { threadId, runNumber: null }, run: null, after, from: thread.lastSeq }, signal);
}
