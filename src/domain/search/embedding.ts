import type { File, Passage } from '../../db/generated/client.ts';
import { type Embedder, EmbeddingError } from '../../providers/embedder.ts';
import type { Services } from '../context.ts';
import {
  type ClaimedFile,
  ClaimLostError,
  claimUnembeddedFile,
  databaseTime,
  lastInLine,
  updateClaimed,
  whileClaimed,
  writingFault,
} from './ingest-claim.ts';

type PassageToEmbed = Pick<Passage, 'index' | 'text'>;

/** The result of embedding a file, as its row stores it. */
type EmbeddingOutcome = Pick<File, 'embeddingModel' | 'embeddingError'>;

/** The time limit of embedding a file right after it was read: other files wait to be read. */
const atOnceMs = 20_000;
/** The time limit of embedding one waiting file before the next one has its turn. */
const turnMs = 60_000;

/**
 * Embeds the passages of a claimed file that have no vector of this model. `report` receives the index of the last passage
 * that has one. After a temporary failure the model stays null, and `embedWaitingFiles` tries again; after a final one
 * this model is not tried again.
 */
async function embedFile(
  services: Services,
  embedder: Embedder,
  file: ClaimedFile,
  signal: AbortSignal,
  report: (index: number) => Promise<void> = async () => {},
): Promise<EmbeddingOutcome> {
  const { model } = embedder;
  try {
    for (let after = -1; ; ) {
      const passages = await withoutVector(services, model, file, after, embedder.batchSize * embedder.parallelCalls);
      const last = passages.at(-1);
      if (!last) return { embeddingModel: model, embeddingError: null };
      const batches = Array.from({ length: Math.ceil(passages.length / embedder.batchSize) }, (_, number) =>
        passages.slice(number * embedder.batchSize, (number + 1) * embedder.batchSize),
      );
      await Promise.all(batches.map((batch) => embedBatch(services, embedder, file, batch, signal)));
      after = last.index;
      await report(after);
    }
  } catch (error) {
    if (!(error instanceof EmbeddingError)) throw error;
    services.log.warn({ err: error, fileId: file.id, model }, 'embedding failed');
    return { embeddingModel: error.isFinal ? model : null, embeddingError: error.message };
  }
}

function withoutVector({ database }: Services, model: string, file: ClaimedFile, after: number, limit: number) {
  return database.$queryRaw<PassageToEmbed[]>`
    SELECT p."index", p."text" FROM "Passage" p
    LEFT JOIN "PassageEmbedding" e ON e."workspaceId" = p."workspaceId" AND e."fileId" = p."fileId"
      AND e."index" = p."index" AND e."model" = ${model}
    WHERE p."workspaceId" = ${file.workspaceId} AND p."fileId" = ${file.id} AND p."index" > ${after} AND e."index" IS NULL
    ORDER BY p."index" LIMIT ${limit}`;
}

async function embedBatch(
  services: Services,
  embedder: Embedder,
  file: ClaimedFile,
  passages: PassageToEmbed[],
  signal: AbortSignal,
): Promise<void> {
  const texts = passages.map(({ text }) => text);
  const { vectors, tokens } = await embedder.embed(texts, 'document', signal);
  const rows = passages.map(({ index }, position) => ({ index, embedding: vectors[position] }));
  try {
    await services.database.$executeRaw`
      INSERT INTO "PassageEmbedding" ("workspaceId", "fileId", "index", "model", "embedding")
      SELECT ${file.workspaceId}, ${file.id}, r."index", ${embedder.model}, r."embedding"::vector
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS r ("index" int, "embedding" text)
      ON CONFLICT ("workspaceId", "fileId", "index") DO UPDATE
      SET "model" = excluded."model", "embedding" = excluded."embedding"`;
  } catch (error) {
    throw writingFault(error);
  }
  await updateClaimed(services, file, { embeddingTokens: { increment: tokens } });
}

/**
 * Embeds a file right after it was read. The file is searchable by words in any case: an embedding that takes too long, is
 * aborted or fails is left to `embedWaitingFiles`. Throws ClaimLostError.
 */
export async function embedAtOnce(
  services: Services,
  embedder: Embedder,
  file: ClaimedFile,
  signal: AbortSignal,
  report: (index: number) => Promise<void>,
): Promise<EmbeddingOutcome & Pick<File, 'ingestionAt'>> {
  const timeout = AbortSignal.timeout(atOnceMs);
  try {
    const outcome = await embedFile(services, embedder, file, AbortSignal.any([signal, timeout]), report);
    return { ...outcome, ingestionAt: outcome.embeddingModel === null ? await databaseTime(services) : null };
  } catch (error) {
    if (error instanceof ClaimLostError) throw error;
    const isStopped = signal.aborted || timeout.aborted;
    if (!isStopped) services.log.error({ err: error, fileId: file.id }, 'embedding failed');
    return { embeddingModel: null, embeddingError: null, ingestionAt: isStopped ? null : await databaseTime(services) };
  }
}

/**
 * Embeds the files of all workspaces that were read without an embedding model or while it failed, one after the other,
 * until none is left or one fails temporarily.
 */
export async function embedWaitingFiles(services: Services, signal: AbortSignal): Promise<void> {
  const { embedder } = services;
  while (embedder && !signal.aborted) {
    const file = await claimUnembeddedFile(services);
    if (!file || !(await embedClaimed(services, embedder, file, signal))) return;
  }
}

/** Embeds a claimed file. Returns whether the next one may be tried. A file that failed temporarily waits as if abandoned. */
async function embedClaimed(
  services: Services,
  embedder: Embedder,
  file: ClaimedFile,
  signal: AbortSignal,
): Promise<boolean> {
  const turn = AbortSignal.timeout(turnMs);
  let isDone = false;
  try {
    await whileClaimed(services, file, AbortSignal.any([signal, turn]), async (during) => {
      const outcome = await embedFile(services, embedder, file, during);
      isDone = outcome.embeddingModel !== null;
      await updateClaimed(services, file, { ...outcome, ...(isDone ? { ingestionAt: null } : {}) });
    });
    return isDone;
  } catch (error) {
    if (error instanceof ClaimLostError) return true;
    if (!signal.aborted && !turn.aborted) throw error;
    await updateClaimed(services, file, { ingestionAt: await lastInLine(services) }).catch(() => {});
    return !signal.aborted;
  }
}

/**
 * Queues files for embedding that another model embedded, because vectors of two models cannot be compared, and files whose
 * embedding failed, because the cause may have been fixed.
 */
export async function forgetOtherModels({ database, embedder }: Services): Promise<void> {
  if (!embedder) return;
  await database.file.updateMany({
    where: {
      ingestion: 'COMPLETED',
      OR: [
        { embeddingModel: { not: embedder.model } },
        { embeddingModel: embedder.model, embeddingError: { not: null } },
      ],
    },
    data: { embeddingModel: null, embeddingError: null, ingestionAt: null },
  });
}
