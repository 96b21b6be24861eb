import type { Event, Message, Run } from '../db/generated/client.ts';
import { isId } from '../id.ts';
import { requireScope } from './access.ts';
import { type CatchUp, endOfPiece } from './catch-up.ts';
import type { DomainContext } from './context.ts';
import { type CursorScope, decodeCursor, encodeCursor } from './cursor.ts';
import { NotFoundError } from './error.ts';
import { stillOpen } from './journal.ts';
import { keysOpenedBy, type TextKey } from './piece.ts';
import { findRun } from './run.ts';
import { isTerminal } from './run-status.ts';
import { threadsVisibleTo } from './scope.ts';
import type { ThreadFeed } from './thread-feed.ts';

/** What a follower is told: an event of the log, or the next piece of a text that grows. */
export type Told = { cursor: string; threadId: string; runId: string | null; at: Date } & (
  | { kind: 'event'; event: Event; message: Message | null }
  | { kind: 'piece'; opener: Event; channel: TextKey['channel']; text: string }
);

/** A text that is open for a follower, and how much of it the follower has. */
export interface OpenText extends TextKey {
  opener: Event;
  offset: number;
}

/** The texts that an event opens. */
function textsOpenedBy(opener: Event): OpenText[] {
  return keysOpenedBy(opener).map((key) => ({ ...key, opener, offset: 0 }));
}

/** Whether an event ends the text. */
function ends(event: Event, text: OpenText): boolean {
  if (event.type === 'MESSAGE_ENDED') return text.channel === 'TEXT' && text.ownerId === event.messageId;
  return event.type === 'STEP_ENDED' && text.channel !== 'TEXT' && text.opener.stepId === event.stepId;
}

const messageEvents = new Set<Event['type']>(['MESSAGE_STARTED', 'MESSAGE_ENDED', 'MESSAGE_ADDED']);

/** Where a follower begins. */
interface Start {
  seq: number;
  open: OpenText[];
  catchUp: CatchUp;
}

/** One reader's place in a thread. All it holds is the last event it was told and an offset for each open text. */
class Follower {
  readonly #feed: ThreadFeed;
  readonly #scope: CursorScope;
  readonly #run: Run | null;
  readonly #catchUp: CatchUp;
  #seq: number;
  #open: OpenText[];

  constructor(feed: ThreadFeed, scope: CursorScope, run: Run | null, start: Start) {
    this.#feed = feed;
    this.#catchUp = start.catchUp;
    this.#scope = scope;
    this.#run = run;
    this.#seq = start.seq;
    this.#open = start.open;
  }

  async *follow(signal: AbortSignal): AsyncGenerator<Told> {
    while (!signal.aborted) {
      const { version } = this.#feed;
      const events = await this.#feed.eventsAfter(this.#seq);
      for (const event of events) {
        yield* this.#tellEvent(event);
        if (this.#isLast(event)) return;
      }
      if (events.length > 0) continue;
      if (this.#feed.isGone) throw new NotFoundError(this.#scope.threadId);
      for (const text of this.#open) yield* this.#tellGrowth(text);
      await this.#feed.changed(version, signal);
    }
  }

  #isLast({ runId, type, value }: Event): boolean {
    return runId === this.#run?.id && type === 'RUN_STATUS_CHANGED' && isTerminal(value as Run['status']);
  }

  async *#tellEvent(event: Event): AsyncGenerator<Told> {
    if (this.#run && event.runId !== this.#run.id) {
      this.#seq = event.seq;
      return;
    }
    const message = messageEvents.has(event.type) ? await this.#feed.messageOf(event) : null;
    // What a text has grown to is told before whatever happened next, as those heard it who were there.
    for (const text of this.#open) yield* this.#tellGrowth(text);
    this.#seq = event.seq;
    this.#open = [...this.#open.filter((text) => !ends(event, text)), ...textsOpenedBy(event)];
    // A message that has been removed since cannot be shown; its removal comes later in the log.
    if (messageEvents.has(event.type) && !message) return;
    yield { kind: 'event', event, message, ...this.#place(event.at, event) };
  }

  async *#tellGrowth(text: OpenText): AsyncGenerator<Told> {
    const grown = await this.#feed.textOf(text);
    while (text.offset < grown.length) {
      const length = this.#catchUp.take(grown.length - text.offset);
      const end = endOfPiece(grown, text.offset, length);
      const piece = grown.slice(text.offset, end);
      text.offset = end;
      const { opener, channel } = text;
      try {
        yield { kind: 'piece', opener, channel, text: piece, ...this.#place(new Date(), opener) };
      } finally {
        // The next one is asked for when this one has left.
        this.#catchUp.giveBack(length);
      }
    }
  }

  #place(at: Date, { runId, threadId }: Event) {
    const position = { seq: this.#seq, offsets: this.#open.map(({ offset }) => offset) };
    return { cursor: encodeCursor(this.#scope, position), at, runId, threadId };
  }
}

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
      .flatMap(textsOpenedBy),
  );
}

/** Where a follower begins: after a cursor, or at `from`. */
async function startAt(ctx: DomainContext, threadId: string, run: Run | null, after: string | null, from: number) {
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

async function* followFeed(
  ctx: DomainContext,
  scope: CursorScope,
  run: Run | null,
  after: string | null,
  from: number,
  signal: AbortSignal,
) {
  const start = await startAt(ctx, scope.threadId, run, after, from);
  if (run && (await hasNothingMore(ctx, run, start.seq))) return;
  const feed = ctx.feeds.acquire(ctx.workspaceId, scope.threadId);
  try {
    yield* new Follower(feed, scope, run, { ...start, catchUp: ctx.feeds.catchUp }).follow(signal);
  } finally {
    ctx.feeds.release(feed);
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
 * status. Neighbouring pieces of a text come joined when the reader is slow. Ends when the signal aborts.
 * Throws NotFoundError, and InvalidInputError for a cursor of another thread.
 */
export async function followRun(
  ctx: DomainContext,
  runId: string,
  after: string | null,
  signal: AbortSignal,
): Promise<AsyncGenerator<Told>> {
  requireScope(ctx, 'RUNS_READ');
  const run = await findRun(ctx, runId);
  if (after !== null) decodeCursor(run.threadId, after);
  return followFeed(ctx, { threadId: run.threadId, runNumber: run.number }, run, after, run.firstSeq - 1, signal);
}

/** The same for a whole thread; without a cursor from now on, and without an end. */
export async function followThread(
  ctx: DomainContext,
  threadId: string,
  after: string | null,
  signal: AbortSignal,
): Promise<AsyncGenerator<Told>> {
  requireScope(ctx, 'THREADS_READ');
  requireScope(ctx, 'RUNS_READ');
  const where = { id: threadId, ...threadsVisibleTo(ctx.actor) };
  const thread = isId('Thread', threadId) ? await ctx.db.thread.findFirst({ where, select: { lastSeq: true } }) : null;
  if (!thread) throw new NotFoundError(threadId);
  if (after !== null) decodeCursor(threadId, after);
  return followFeed(ctx, { threadId, runNumber: null }, null, after, thread.lastSeq, signal);
}
