import type { File } from '../../db/generated/client.ts';
import type { DomainContext } from '../context.ts';
import { filesVisibleTo } from './file.ts';

/** A file that a call wrote. */
export type CallFile = File;

/** The files that each of some calls wrote, in the order in which it did. */
export async function filesOfCalls(ctx: DomainContext, ids: readonly string[]): Promise<CallFile[][]> {
  const files = await ctx.db.file.findMany({
    where: { AND: [{ toolCallId: { in: [...ids] } }, filesVisibleTo(ctx.actor)] },
    orderBy: { id: 'asc' },
  });
  const byCall = Map.groupBy(files, ({ toolCallId }) => toolCallId);
  return ids.map((id) => byCall.get(id) ?? []);
}

/** A passage that a search found. */
export interface StoredSearchResult {
  fileId: string;
  text: string;
  page: number | null;
  score: number;
}

/** The passages that each of some searches found, the best first. */
export async function searchResultsOfCalls(
  ctx: DomainContext,
  ids: readonly string[],
): Promise<StoredSearchResult[][]> {
  const results = await ctx.db.fileSearchResult.findMany({
    where: { toolCallId: { in: [...ids] } },
    orderBy: [{ toolCallId: 'asc' }, { rank: 'asc' }],
    select: { toolCallId: true, fileId: true, score: true, passage: { select: { text: true, page: true } } },
  });
  const byCall = Map.groupBy(results, ({ toolCallId }) => toolCallId);
  const shown = (id: string) => byCall.get(id) ?? [];
  return ids.map((id) => shown(id).map(({ fileId, score, passage }) => ({ fileId, score, ...passage })));
}

/** Deletes the files that a call wrote: the call is about to be made again, and writes them anew. */
export async function deleteFilesOfCall(ctx: DomainContext, toolCallId: string): Promise<void> {
  await ctx.db.file.deleteMany({ where: { toolCallId } });
}
