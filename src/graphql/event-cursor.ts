import type { DomainContext } from '../domain/context.ts';
import { encodeCursor } from '../domain/follow/cursor.ts';
import { openTextsAt } from '../domain/follow/follow.ts';
import type { OpenText } from '../domain/follow/follower.ts';
import type { GraphContext } from './context.ts';
import { growingTexts } from './text-loader.ts';

interface PositionKey {
  threadId: string;
  seq: number;
  runId: string | null;
}

/** The texts that were open at many positions, with one statement. */
function openTextsOf(ctx: DomainContext, keys: readonly PositionKey[]): Promise<OpenText[][]> {
  return openTextsAt(ctx, keys);
}

/**
 * The position that an answer reflects. `lastSeq` comes with the row, so that the cursor is no newer than what was read
 * with it; how far the open texts have been read is what the same answer shows of them.
 */
export async function eventCursor(
  ctx: GraphContext,
  thread: { id: string; lastSeq: number },
  run: { id: string; number: number } | null,
): Promise<string> {
  const key = { threadId: thread.id, seq: thread.lastSeq, runId: run?.id ?? null };
  const open = await ctx.load(openTextsOf, key);
  const read = open.map(({ ownerId, channel }) => ctx.load(growingTexts, { ownerId, channel }));
  const offsets = (await Promise.all(read)).map(({ length }) => length);
  return encodeCursor({ threadId: thread.id, runNumber: run?.number ?? null }, { seq: thread.lastSeq, offsets });
}
