import { searchWords } from '../ingest/search-words.ts';
import type { DomainContext } from './context.ts';

/** How many words of a query count. */
const maxWords = 64;
/** How many passages are weighed. */
const candidates = 500;

/** A passage of a file that was found. */
export interface Hit {
  fileId: string;
  chunkIndex: number;
  page: number | null;
  text: string;
  score: number;
}

/**
 * The passages of some files that have most of the words of a query, with a score from 0 to 1. Words are compared by their
 * stems (English) and as they are; scripts without spaces by pairs of characters; what stands there letter by letter counts
 * most, and words that are nearly the same count, too.
 */
export async function findByWords(
  ctx: DomainContext,
  fileIds: readonly string[],
  query: string,
  maxResults: number,
): Promise<Hit[]> {
  const words = [...new Set(searchWords(query))].slice(0, maxWords);
  if (words.length === 0) return [];
  const plain = query.toWellFormed().replaceAll('\0', '').trim().slice(0, 500);
  const anyWord = words.map((word) => `'${word}'`).join(' | ');
  return ctx.db.$queryRaw<Hit[]>`
    WITH q AS (
      SELECT to_tsquery('simple', ${anyWord})
        || replace(plainto_tsquery('english', ${plain})::text, '&', '|')::tsquery AS "words"
    ), candidate AS (
      SELECT c.*, ts_rank(c."words", q."words", 1) AS "rank"
      FROM "FileChunk" c, q
      WHERE c."workspaceId" = ${ctx.workspaceId} AND c."fileId" = ANY(${fileIds}::text[])
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
}
