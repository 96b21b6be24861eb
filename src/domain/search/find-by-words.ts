import { isTerm, wordsToFind } from '../../ingest/search-words.ts';
import type { DomainContext } from '../context.ts';

/** How many words of a query count. */
const maxWords = 64;
/** How many passages are weighed, and how many of those are compared letter by letter, which takes longest. */
const candidates = 500;
const compared = 50;
/** How many words stand for one that the files do not have. */
const maxNear = 5;

/** A passage of a file that was found. */
export interface PassageMatch {
  fileId: string;
  passageIndex: number;
  page: number | null;
  text: string;
  score: number;
}

/**
 * The passages of some files that have most of the words of a query, with a score from 0 to 1. Words are compared by their
 * stems (English) and as they are; scripts without spaces by pairs of characters; for a word that the files do not have, those
 * stand that are nearly the same or hold it. What stands there letter by letter counts most.
 */
export async function findByWords(
  ctx: DomainContext,
  fileIds: readonly string[],
  query: string,
  maxResults: number,
): Promise<PassageMatch[]> {
  const words = wordsToFind(query).slice(0, maxWords);
  if (words.length === 0) return [];
  const plain = query.toWellFormed().replaceAll('\0', '').trim().slice(0, 500);
  const groups = await alternativesTo(ctx, fileIds, words);
  return ctx.db.$queryRaw<PassageMatch[]>`
    WITH q AS (
      SELECT ${groups.join(' | ')}::tsquery || replace(plainto_tsquery('english', ${plain})::text, '&', '|')::tsquery AS "words"
    ), candidate AS (
      SELECT c.*, ts_rank(c."words", q."words", 1) AS "rank"
      FROM "Passage" c, q
      WHERE c."workspaceId" = ${ctx.workspaceId} AND c."fileId" = ANY(${fileIds}::text[]) AND c."words" @@ q."words"
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
 * What to look for, one tsquery for each word: the word, and those that stand for it. Words that are in nearly every text are
 * left out where others remain.
 */
async function alternativesTo(ctx: DomainContext, fileIds: readonly string[], words: string[]): Promise<string[]> {
  const found = await ctx.db.$queryRaw<Array<{ word: string; isStop: boolean; near: string[] }>>`
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
        LIMIT ${maxNear}
      ) AS "near"
    FROM unnest(${words}::text[]) WITH ORDINALITY AS w ("word", "place") ORDER BY w."place"`;
  const telling = found.filter(({ isStop }) => !isStop);
  // Words and terms are letters and digits alone.
  return (telling.length > 0 ? telling : found).map(({ word, near }) =>
    [word, ...near].map((one) => `'${one}'`).join(' | '),
  );
}
