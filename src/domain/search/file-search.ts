import { setTimeout as delay } from 'node:timers/promises';
import type { Prisma } from '../../db/generated/client.ts';
import type { FileSearchResult } from '../../tools/search-result.ts';
import type { DomainContext } from '../context.ts';
import { findByMeaning } from './find-by-meaning.ts';
import { findByWords } from './find-by-words.ts';
import { fuseScores } from './merge-results.ts';

/** How often a search that waits for files looks at them. */
const lookEveryMs = 200;
/** How many passages of each way of searching are brought together. */
const fused = 50;

/** Resolves when none of the files is being made searchable any more, or when that takes too long. */
async function whenRead(ctx: DomainContext, files: Prisma.FileWhereInput, signal: AbortSignal): Promise<void> {
  const until = Date.now() + ctx.timing.ingestion.searchWaitMs;
  const where = { AND: [files, { ingestion: { in: ['QUEUED' as const, 'IN_PROGRESS' as const] } }] };
  while (Date.now() < until && (await ctx.db.file.count({ where })) > 0) {
    await delay(lookEveryMs, undefined, { signal });
  }
}

/**
 * The passages of some files that fit a query best, with a score from 0 to 1: by their words, and by what they mean, too, where
 * there is a model for that.
 */
export async function searchFiles(
  ctx: DomainContext,
  files: Prisma.FileWhereInput,
  query: string,
  maxResults: number,
  signal: AbortSignal,
): Promise<FileSearchResult[]> {
  await whenRead(ctx, files, signal);
  const searched = await ctx.db.file.findMany({
    where: { AND: [files, { ingestion: 'COMPLETED' }] },
    select: { id: true, name: true },
  });
  if (searched.length === 0) return [];
  const ids = searched.map(({ id }) => id);
  const [byWords, byMeaning] = await Promise.all([
    findByWords(ctx, ids, query, ctx.embedder ? fused : maxResults),
    findByMeaning(ctx, ids, query, fused, signal),
  ]);
  const results = byMeaning
    ? fuseScores(byWords, byMeaning, (result) => `${result.fileId} ${result.passageIndex}`)
    : byWords;
  const names = new Map(searched.map(({ id, name }) => [id, name]));
  return results.slice(0, maxResults).map((result) => ({ ...result, fileName: names.get(result.fileId) ?? '' }));
}
