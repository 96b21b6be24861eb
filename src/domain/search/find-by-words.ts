import { isTerm, wordsToFind } from '../../ingest/search-words.ts';
import type { FileSearchResult } from '../../tools/search-result.ts';
import type { DomainContext } from '../context.ts';
import { searchLimits } from '../limits.ts';

/** Passages that are weighed, and the best of them that are compared by trigrams, which takes longest. */
const candidates = 500;
const compared = 50;
/** Words of the files that replace a word of the query that no file has. */
const maxAlternatives = 5;

/** A passage that one way of searching found. */
export type PassageMatch = Omit<FileSearchResult, 'fileName'>;

/**
 * The passages of the files with the most words of a query, the best first, with scores from 0 to 1. Words match by
 * their English stem and literally, scripts without spaces by pairs of characters. A word that no file has is replaced by
 * similar words and by words that contain it. A literal occurrence of the whole query counts most.
 */
export async function findByWords(
  ctx: DomainContext,
  fileIds: readonly string[],
  query: string,
  maxResults: number,
): Promise<PassageMatch[]> {
  const words = wordsToFind(query).slice(0, searchLimits.queryWords);
  if (words.length === 0) return [];
  const plain = query.toWellFormed().replaceAll('\0', '').trim().slice(0, searchLimits.literalQuery);
  const groups = await alternativesTo(ctx, fileIds, words);
  return ctx.db.$queryRaw<PassageMatch[]>`
    WITH q AS (
      SELECT ${groups.join(' | ')}::tsquery || replace(plainto_tsquery('english', ${plain})::text, '&', '|')::tsquery AS "words"
    ), candidate AS (
      SELECT p.*, ts_rank(p."words", q."words", 1) AS "rank"
      FROM "Passage" p, q
      WHERE p."workspaceId" = ${ctx.workspaceId} AND p."fileId" = ANY(${fileIds}::text[]) AND p."words" @@ q."words"
      ORDER BY "rank" DESC LIMIT ${candidates}
    ), weighed AS (
      SELECT c.*, (
          SELECT count(*) FROM unnest(${groups}::text[]) g WHERE c."words" @@ g::tsquery
        )::float8 / ${groups.length}::float8 AS "covered",
        CASE WHEN strpos(lower(c."text"), lower(${plain})) > 0 THEN 1 ELSE 0 END AS "exact"
      FROM candidate c
    ), best AS (
      SELECT *, 0.15 * "exact" + 0.5 * "covered" + 0.15 * "rank" / ("rank" + 0.05) AS "weight"
      FROM weighed ORDER BY "weight" DESC, "fileId", "index" LIMIT ${Math.max(maxResults, compared)}
    )
    SELECT "fileId", "index" AS "passageIndex", "page", "text",
      least(1, "weight" + 0.2 * word_similarity(${plain}, "text"))::float8 AS "score"
    FROM best ORDER BY "score" DESC, "fileId", "index" LIMIT ${maxResults}`;
}

/**
 * One tsquery for each word of a query: the word and its alternatives. English stop words are left out unless nothing
 * else remains.
 */
async function alternativesTo(ctx: DomainContext, fileIds: readonly string[], words: string[]): Promise<string[]> {
  const found = await ctx.db.$queryRaw<Array<{ word: string; isStop: boolean; alternatives: string[] }>>`
    SELECT w."word", coalesce(ts_lexize('english_stem', w."word") = '{}', false) AS "isStop", ARRAY(
        SELECT t."term" FROM "FileTerm" t
        WHERE t."workspaceId" = ${ctx.workspaceId} AND t."fileId" = ANY(${fileIds}::text[])
          AND (t."term" % w."word" OR length(w."word") > 3 AND t."term" LIKE '%' || w."word" || '%')
          AND w."word" = ANY(${words.filter(isTerm)}::text[])
          AND NOT EXISTS (
            SELECT 1 FROM "FileTerm" k
            WHERE k."workspaceId" = ${ctx.workspaceId} AND k."fileId" = ANY(${fileIds}::text[]) AND k."term" = w."word"
          )
        GROUP BY t."term" ORDER BY word_similarity(w."word", t."term") DESC, similarity(w."word", t."term") DESC, t."term"
        LIMIT ${maxAlternatives}
      ) AS "alternatives"
    FROM unnest(${words}::text[]) WITH ORDINALITY AS w ("word", "position") ORDER BY w."position"`;
  const specific = found.filter(({ isStop }) => !isStop);
  // Words and terms consist of letters and digits: they cannot end the quoted string.
  return (specific.length > 0 ? specific : found).map(({ word, alternatives }) =>
    [word, ...alternatives].map((one) => `'${one}'`).join(' | '),
  );
}
