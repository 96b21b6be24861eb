import type { File } from '../../db/generated/client.ts';
import { type Embedder, EmbeddingError } from '../../providers/embedder.ts';
import type { Services } from '../context.ts';
import {
  type ClaimedFile,
  ClaimLostError,
  claimUnembeddedFile,
  lastInLine,
  updateClaimed,
  whileClaimed,
  writingFault,
} from './ingest-claim.ts';

interface PassageToEmbed {
  index: number;
  text: string;
}

/** What a file's row says of its vectors when they have been made, or tried. */
type EmbeddingOutcome = Pick<File, 'embeddingModel' | 'embeddingError'>;

/** How long whoever has just read a file stays with it to make its vectors: others wait to be read. */
const atOnceMs = 20_000;
/** How long one file has its turn, where others may wait for theirs. */
const turnMs = 60_000;

/**
 * Makes vectors of the passages of a claimed file that have none of this model. `tell` hears of the last passage that has
 * one. What fails for a while is left for `embedWaitingFiles`; what fails for good is not tried again with this model.
 */
async function embedFile(
  services: Services,
  embedder: Embedder,
  file: ClaimedFile,
  signal: AbortSignal,
  tell: (index: number) => Promise<void> = async () => {},
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
      await tell(after);
    }
  } catch (error) {
    if (!(error instanceof EmbeddingError)) throw error;
    services.log.warn({ err: error, fileId: file.id, model }, 'embedding failed');
    return { embeddingModel: error.isFinal ? model : null, embeddingError: error.message };
  }
}

function withoutVector({ database }: Services, model: string, file: ClaimedFile, after: number, most: number) {
  return database.$queryRaw<PassageToEmbed[]>`
    SELECT c."index", c."text" FROM "Passage" c
    LEFT JOIN "PassageEmbedding" e ON e."workspaceId" = c."workspaceId" AND e."fileId" = c."fileId"
      AND e."index" = c."index" AND e."model" = ${model}
    WHERE c."workspaceId" = ${file.workspaceId} AND c."fileId" = ${file.id} AND c."index" > ${after} AND e."index" IS NULL
    ORDER BY c."index" LIMIT ${most}`;
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
  const rows = passages.map(({ index }, place) => ({ index, embedding: vectors[place] }));
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
 * Makes vectors of a file that has just been read. Whatever comes of it, it can be searched by its words: what takes longer, is
 * stopped, or goes wrong is left for `embedWaitingFiles`. Throws PassedOnError.
 */
export async function embedAtOnce(
  services: Services,
  embedder: Embedder,
  file: ClaimedFile,
  signal: AbortSignal,
  tell: (index: number) => Promise<void>,
): Promise<EmbeddingOutcome & Pick<File, 'ingestionAt'>> {
  const patience = AbortSignal.timeout(atOnceMs);
  try {
    const outcome = await embedFile(services, embedder, file, AbortSignal.any([signal, patience]), tell);
    return { ...outcome, ingestionAt: outcome.embeddingModel === null ? new Date() : null };
  } catch (error) {
    if (error instanceof ClaimLostError) throw error;
    const isStopped = signal.aborted || patience.aborted;
    if (!isStopped) services.log.error({ err: error, fileId: file.id }, 'embedding');
    return { embeddingModel: null, embeddingError: null, ingestionAt: isStopped ? null : new Date() };
  }
}

/**
 * Makes vectors of files that were read before there was a model, or while it did not answer, one after the other; ends
 * with the first that fails for a while. Serves all workspaces.
 */
export async function embedWaitingFiles(services: Services, signal: AbortSignal): Promise<void> {
  const { embedder } = services;
  while (embedder && !signal.aborted) {
    const file = await claimUnembeddedFile(services);
    if (!file || !(await embedClaimed(services, embedder, file, signal))) return;
  }
}

/** Makes vectors of a claimed file; whether another one may be tried. One that failed for a while keeps its time of now. */
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
    await updateClaimed(services, file, { ingestionAt: lastInLine(services) }).catch(() => {});
    return !signal.aborted;
  }
}

/** Lets be made anew what other models made, since vectors of two cannot be compared, and what failed: its reason may be gone. */
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
