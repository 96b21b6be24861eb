import { EmbeddingError } from '../../providers/embedder.ts';
import type { DomainContext } from '../context.ts';
import type { PassageMatch } from './find-by-words.ts';

const maxCharacters = 2000;
/** How many vectors one search compares: all wait for the embedded database while it does. */
const maxVectors = 50_000;

/**
 * The passages of some files whose vectors are nearest to that of a query; null where none can be had: no model is configured,
 * it does not answer, or there are too many to compare. Every vector of the files is compared: an index would miss some, since what it finds nearest may
 * be in files of others.
 */
export async function findByMeaning(
  ctx: DomainContext,
  fileIds: readonly string[],
  query: string,
  maxResults: number,
  signal: AbortSignal,
): Promise<PassageMatch[] | null> {
  if (!ctx.embedder || (await isTooMuch(ctx, fileIds))) return null;
  const vector = await vectorOf(ctx, query, signal);
  if (!vector) return null;
  const literal = JSON.stringify(vector);
  return ctx.db.$queryRaw<PassageMatch[]>`
    SELECT c."fileId", c."index" AS "passageIndex", c."page", c."text", 1 - n."distance" AS "score"
    FROM (
      SELECT e."fileId", e."index", e."embedding" <=> ${literal}::vector AS "distance"
      FROM "PassageEmbedding" e
      WHERE e."workspaceId" = ${ctx.workspaceId} AND e."fileId" = ANY(${fileIds}::text[])
        AND e."model" = ${ctx.embedder.model} AND vector_dims(e."embedding") = ${vector.length}
      ORDER BY "distance" LIMIT ${maxResults}
    ) n
    JOIN "Passage" c ON c."workspaceId" = ${ctx.workspaceId} AND c."fileId" = n."fileId" AND c."index" = n."index"
    WHERE n."distance" <> 'NaN'
    ORDER BY n."distance", c."fileId", c."index"`;
}

async function isTooMuch(ctx: DomainContext, fileIds: readonly string[]): Promise<boolean> {
  const [row] = await ctx.db.$queryRaw<Array<{ count: number }>>`
    SELECT count(*)::int AS "count" FROM (
      SELECT 1 FROM "PassageEmbedding"
      WHERE "workspaceId" = ${ctx.workspaceId} AND "fileId" = ANY(${fileIds}::text[]) LIMIT ${maxVectors + 1}) v`;
  const isMore = (row?.count ?? 0) > maxVectors;
  if (isMore)
    ctx.log.warn({ files: fileIds.length }, `a search in more than ${maxVectors} vectors went by words alone`);
  return isMore;
}

async function vectorOf(ctx: DomainContext, query: string, signal: AbortSignal): Promise<number[] | null> {
  const text = query.toWellFormed().trim().slice(0, maxCharacters);
  if (!ctx.embedder || text === '') return null;
  const timeout = AbortSignal.timeout(ctx.timing.ingestion.queryEmbeddingMs);
  try {
    const { vectors } = await ctx.embedder.embed([text], 'query', AbortSignal.any([signal, timeout]));
    return vectors[0] ?? null;
  } catch (error) {
    signal.throwIfAborted();
    if (!timeout.aborted && !(error instanceof EmbeddingError)) throw error;
    ctx.log.warn({ err: error, model: ctx.embedder.model }, 'a search went by words alone');
    return null;
  }
}
