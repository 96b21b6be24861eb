import { setTimeout as delay } from 'node:timers/promises';
import type { Prisma } from '../db/generated/client.ts';
import { searchWords } from '../ingest/search-words.ts';
import type { Passage } from '../tools/tool.ts';
import type { DomainContext } from './context.ts';

/** How many words of a query count. */
const maxWords = 64;
/** How long a search waits for files that are being made searchable, and how often it looks. */
const patienceMs = 20_000;
const lookEveryMs = 200;
/** How many passages are weighed. */
const candidates = 500;

/** Resolves when none of the files is being made searchable any more, or when that takes too long. */
async function whenRead(ctx: DomainContext, files: Prisma.FileWhereInput, signal: AbortSignal): Promise<void> {
  const until = Date.now() + patienceMs;
  const where = { AND: [files, { ingestion: { in: ['QUEUED' as const, 'IN_PROGRESS' as const] } }] };
  while (Date.now() < until && (await ctx.db.file.count({ where })) > 0) {
    await delay(lookEveryMs, undefined, { signal });
  }
}

/**
 * The passages of some files that fit a query best, with a score from 0 to 1. Words are compared by their stems (English) and
 * as they are; scripts without spaces by pairs of characters; what stands there letter by letter counts most, and words
 * that are nearly the same count, too.
 */
export async function searchFiles(
  ctx: DomainContext,
  files: Prisma.FileWhereInput,
  query: string,
  maxResults: number,
  signal: AbortSignal,
): Promise<Passage[]> {
  await whenRead(ctx, files, signal);
  const searched = await ctx.db.file.findMany({
    where: { AND: [files, { ingestion: 'COMPLETED' }] },
    select: { id: true, name: true },
  });
  const words = [...new Set(searchWords(query))].slice(0, maxWords);
  if (searched.length === 0 || words.length === 0) return [];
  const plain = query.toWellFormed().replaceAll('\0', '').trim().slice(0, 500);
  const anyWord = words.map((word) => `'${word}'`).join(' | ');
  const ids = searched.map(({ id }) => id);
  const hits = await ctx.db.$queryRaw<Array<Omit<Passage, 'fileName'>>>`
    WITH q AS (
      SELECT to_tsquery('simple', ${anyWord})
        || replace(plainto_tsquery('english', ${plain})::text, '&', '|')::tsquery AS "words"
    ), candidate AS (
      SELECT c.*, ts_rank(c."words", q."words", 1) AS "rank"
      FROM "FileChunk" c, q
      WHERE c."workspaceId" = ${ctx.workspaceId} AND c."fileId" = ANY(${ids}::text[])
        AND (c."words" @@ q."words" OR ${plain} <% c."text")
      ORDER BY "rank" DESC LIMIT ${candidates}
    ), found AS (
      SELECT c.*, (
          SELECT count(*) FROM unnest(${words}::text[]) w WHERE c."words" @@ ('''' || w || '''')::tsquery
        )::float8 / ${words.length}::float8 AS "covered",
        CASE WHEN strpos(lower(c."text"), lower(${plain})) > 0 THEN 1 ELSE 0 END AS "exact",
        word_similarity(${plain}, c."text") AS "similar"
      FROM candidate c
    )
    SELECT "fileId", "index" AS "chunkIndex", "page", "text",
      least(1, 0.15 * "exact" + 0.5 * "covered" + 0.15 * "rank" / ("rank" + 0.05) + 0.2 * "similar")::float8 AS "score"
    FROM found ORDER BY "score" DESC, "fileId", "index" LIMIT ${maxResults}`;
  const names = new Map(searched.map(({ id, name }) => [id, name]));
  return hits.map((hit) => ({ ...hit, fileName: names.get(hit.fileId) ?? '' }));
}
