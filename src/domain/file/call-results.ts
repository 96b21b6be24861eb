import type { File } from '../../db/generated/client.ts';
import type { DomainContext } from '../context.ts';
import { filesVisibleTo } from './file.ts';

/** The visible files that each of the tool calls wrote, in the order of writing. */
export async function filesOfCalls(ctx: DomainContext, ids: readonly string[]): Promise<File[][]> {
  const files = await ctx.db.file.findMany({
    where: { AND: [{ toolCallId: { in: [...ids] } }, filesVisibleTo(ctx.actor)] },
    orderBy: { id: 'asc' },
  });
  const byCall = Map.groupBy(files, ({ toolCallId }) => toolCallId);
  return ids.map((id) => byCall.get(id) ?? []);
}

/** A passage that a search found, as a subscriber reads it later. */
export interface StoredSearchResult {
  fileId: string;
  text: string;
  page: number | null;
  score: number;
}

/** The passages that each of the tool calls found, the best first. */
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
  const resultsOf = (id: string) => byCall.get(id) ?? [];
  return ids.map((id) => resultsOf(id).map(({ fileId, score, passage }) => ({ fileId, score, ...passage })));
}

/** Deletes the files that a call wrote: the call is about to be made again, and writes them anew. */
export async function deleteFilesOfCall(ctx: DomainContext, toolCallId: string): Promise<void> {
  await ctx.db.file.deleteMany({ where: { toolCallId } });
}
