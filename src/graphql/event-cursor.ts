import type { DomainContext } from '../domain/context.ts';
import { encodeCursor } from '../domain/follow/cursor.ts';
import { openTextsAt } from '../domain/follow/follow.ts';
import type { OpenText } from '../domain/follow/follower.ts';
import type { GraphContext } from './context.ts';
import { growingText } from './text-loader.ts';

interface PositionKey {
  threadId: string;
  seq: number;
  runId: string | null;
}

/** The growing texts at each position, read with one statement. */
function openTextsOf(ctx: DomainContext, keys: readonly PositionKey[]): Promise<OpenText[][]> {
  return openTextsAt(ctx, keys);
}

/**
 * The cursor of the state that a response shows: a subscription that resumes after it misses nothing and repeats nothing.
 * `lastSeq` is read with the thread's row, so the cursor is never newer than that row. The offsets of growing texts are the
 * lengths of these texts in the same response: `growingText` returns the same content for both. `run` null: a cursor for
 * `threadEvents`.
 */
export async function eventCursor(
  ctx: GraphContext,
  thread: { id: string; lastSeq: number },
  run: { id: string; number: number } | null,
): Promise<string> {
  const key = { threadId: thread.id, seq: thread.lastSeq, runId: run?.id ?? null };
  const open = await ctx.load(openTextsOf, key);
  const texts = open.map(({ ownerId, channel }) => growingText(ctx, { ownerId, channel }));
  const offsets = (await Promise.all(texts)).map(({ length }) => length);
  return encodeCursor({ threadId: thread.id, runNumber: run?.number ?? null }, { seq: thread.lastSeq, offsets });
}
