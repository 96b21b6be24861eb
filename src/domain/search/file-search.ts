import { setTimeout as delay } from 'node:timers/promises';
import type { Prisma } from '../../db/generated/client.ts';
import type { FileSearchResult } from '../../tools/search-result.ts';
import type { DomainContext } from '../context.ts';
import { findByMeaning } from './find-by-meaning.ts';
import { findByWords } from './find-by-words.ts';
import { fuseScores } from './merge-results.ts';

/** How often a search that waits for ingestion polls. */
const pollEveryMs = 200;
/** Passages of each way of searching that are merged. */
const mergedMatches = 50;

/** Waits until no file is queued or in progress, for at most `searchWaitMs`. */
async function waitForIngestion(ctx: DomainContext, files: Prisma.FileWhereInput, signal: AbortSignal): Promise<void> {
  const until = Date.now() + ctx.timing.ingestion.searchWaitMs;
  const where = { AND: [files, { ingestion: { in: ['QUEUED' as const, 'IN_PROGRESS' as const] } }] };
  while (Date.now() < until && (await ctx.db.file.count({ where })) > 0) {
    await delay(pollEveryMs, undefined, { signal });
  }
}

/**
 * Searches the files for a query: by words and, with an embedding model, by meaning as well. Returns the best passages
 * first, with scores from 0 to 1. Throws the signal's reason when it aborts.
 */
export async function searchFiles(
  ctx: DomainContext,
  files: Prisma.FileWhereInput,
  query: string,
  maxResults: number,
  signal: AbortSignal,
): Promise<FileSearchResult[]> {
  await waitForIngestion(ctx, files, signal);
  const searched = await ctx.db.file.findMany({
    where: { AND: [files, { ingestion: 'COMPLETED' }] },
    select: { id: true, name: true },
  });
  if (searched.length === 0) return [];
  const ids = searched.map(({ id }) => id);
  const [byWords, byMeaning] = await Promise.all([
    findByWords(ctx, ids, query, ctx.embedder ? mergedMatches : maxResults),
    findByMeaning(ctx, ids, query, mergedMatches, signal),
  ]);
  const results = byMeaning
    ? fuseScores(byWords, byMeaning, (result) => `${result.fileId} ${result.passageIndex}`)
    : byWords;
  const names = new Map(searched.map(({ id, name }) => [id, name]));
  return results.slice(0, maxResults).map((result) => ({ ...result, fileName: names.get(result.fileId) ?? '' }));
}
