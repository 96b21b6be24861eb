import { EmbeddingError } from '../../providers/embedder.ts';
import type { DomainContext } from '../context.ts';
import { searchLimits } from '../limits.ts';
import type { PassageMatch } from './find-by-words.ts';

/**
 * The passages of the files whose vectors are nearest to the query's, the best first. Returns null when the search must
 * go by words alone: no embedding model is configured, the model fails, or there are too many vectors. All vectors of
 * the files are compared: the nearest entries of an index could all belong to other files.
 */
export async function findByMeaning(
  ctx: DomainContext,
  fileIds: readonly string[],
  query: string,
  maxResults: number,
  signal: AbortSignal,
): Promise<PassageMatch[] | null> {
  if (!ctx.embedder || (await hasTooManyVectors(ctx, fileIds))) return null;
  const vector = await embedQuery(ctx, query, signal);
  if (!vector) return null;
  const literal = JSON.stringify(vector);
  return ctx.db.$queryRaw<PassageMatch[]>`
    SELECT p."fileId", p."index" AS "passageIndex", p."page", p."text", 1 - n."distance" AS "score"
    FROM (
      SELECT e."fileId", e."index", e."embedding" <=> ${literal}::vector AS "distance"
      FROM "PassageEmbedding" e
      WHERE e."workspaceId" = ${ctx.workspaceId} AND e."fileId" = ANY(${fileIds}::text[])
        AND e."model" = ${ctx.embedder.model} AND vector_dims(e."embedding") = ${vector.length}
      ORDER BY "distance" LIMIT ${maxResults}
    ) n
    JOIN "Passage" p ON p."workspaceId" = ${ctx.workspaceId} AND p."fileId" = n."fileId" AND p."index" = n."index"
    WHERE n."distance" <> 'NaN'
    ORDER BY n."distance", p."fileId", p."index"`;
}

async function hasTooManyVectors(ctx: DomainContext, fileIds: readonly string[]): Promise<boolean> {
  const [row] = await ctx.db.$queryRaw<Array<{ count: number }>>`
    SELECT count(*)::int AS "count" FROM (
      SELECT 1 FROM "PassageEmbedding"
      WHERE "workspaceId" = ${ctx.workspaceId} AND "fileId" = ANY(${fileIds}::text[]) LIMIT ${searchLimits.comparedVectors + 1}) v`;
  const isExceeded = (row?.count ?? 0) > searchLimits.comparedVectors;
  if (isExceeded) {
    ctx.log.warn(
      { files: fileIds.length, limit: searchLimits.comparedVectors },
      'search by meaning skipped: too many vectors',
    );
  }
  return isExceeded;
}

/** The vector of a query; null: it is empty, or the model fails. Throws the signal's reason when it aborts. */
async function embedQuery(ctx: DomainContext, query: string, signal: AbortSignal): Promise<number[] | null> {
  const text = query.toWellFormed().trim().slice(0, searchLimits.embeddedQuery);
  if (!ctx.embedder || text === '') return null;
  const timeout = AbortSignal.timeout(ctx.timing.ingestion.queryEmbeddingMs);
  try {
    const { vectors } = await ctx.embedder.embed([text], 'query', AbortSignal.any([signal, timeout]));
    return vectors[0] ?? null;
  } catch (error) {
    signal.throwIfAborted();
    if (!timeout.aborted && !(error instanceof EmbeddingError)) throw error;
    ctx.log.warn({ err: error, model: ctx.embedder.model }, 'query embedding failed: searching by words alone');
    return null;
  }
}
