import { EmbeddingError } from '../providers/embedder.ts';
import type { DomainContext } from './context.ts';
import type { Hit } from './find-by-words.ts';

/** How long a search waits for the vector of its query. */
const patienceMs = 10_000;
const maxCharacters = 2000;

/**
 * The passages of some files whose vectors are nearest to that of a query; null where none can be had: no model is configured,
 * or it does not answer. Every vector of the files is compared: an index would miss some, since what it finds nearest may
 * be in files of others.
 */
export async function findByMeaning(
  ctx: DomainContext,
  fileIds: readonly string[],
  query: string,
  maxResults: number,
  signal: AbortSignal,
): Promise<Hit[] | null> {
  const vector = await vectorOf(ctx, query, signal);
  if (!vector || !ctx.embedder) return null;
  const literal = JSON.stringify(vector);
  return ctx.db.$queryRaw<Hit[]>`
    SELECT c."fileId", c."index" AS "chunkIndex", c."page", c."text", 1 - n."distance" AS "score"
    FROM (
      SELECT e."fileId", e."index", e."embedding" <=> ${literal}::vector AS "distance"
      FROM "FileChunkEmbedding" e
      WHERE e."workspaceId" = ${ctx.workspaceId} AND e."fileId" = ANY(${fileIds}::text[])
        AND e."model" = ${ctx.embedder.model} AND vector_dims(e."embedding") = ${vector.length}
      ORDER BY "distance" LIMIT ${maxResults}
    ) n
    JOIN "FileChunk" c ON c."workspaceId" = ${ctx.workspaceId} AND c."fileId" = n."fileId" AND c."index" = n."index"
    ORDER BY n."distance", c."fileId", c."index"`;
}

async function vectorOf(ctx: DomainContext, query: string, signal: AbortSignal): Promise<number[] | null> {
  const text = query.toWellFormed().trim().slice(0, maxCharacters);
  if (!ctx.embedder || text === '') return null;
  const timeout = AbortSignal.timeout(patienceMs);
  try {
    const { vectors } = await ctx.embedder.embed([text], 'query', AbortSignal.any([signal, timeout]));
    return vectors[0] ?? null;
  } catch (error) {
    signal.throwIfAborted();
    if (!timeout.aborted && !(error instanceof EmbeddingError)) throw error;
    ctx.log.warn({ model: ctx.embedder.model, why: (error as Error).message }, 'a search went by words alone');
    return null;
  }
}
