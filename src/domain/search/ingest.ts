import type { Transaction } from '../../db/client.ts';
import type { File } from '../../db/generated/client.ts';
import { UnreadableError } from '../../ingest/protocol.ts';
import { readFile } from '../../ingest/read-file.ts';
import { isTerm, searchWords } from '../../ingest/search-words.ts';
import { PassageSplitter, type PassageText } from '../../ingest/split-passages.ts';
import type { Services } from '../context.ts';
import { embedAtOnce } from './embedding.ts';
import {
  type ClaimedFile,
  ClaimLostError,
  claimWaitingFile,
  updateClaimed,
  whileClaimed,
  writingFault,
} from './ingest-claim.ts';
import { deletePassages } from './passage.ts';

/** How many passages one statement stores. */
const batchSize = 50;
/** How often it is stored how far a file is. */
const tellEveryMs = 1000;
const maxChunks = 50_000;
/** How many different words of a file are kept to hold misspelled ones against. */
const maxTerms = 50_000;
/** How often reading a file is begun at most: the server may fail, or may be killed by it. */
const maxAttempts = 5;

/**
 * Takes files that wait to be made searchable, one after the other, until none is left. Serves all workspaces. A file whose
 * process died is taken again.
 */
export async function ingestWaitingFiles(services: Services, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const file = await claimWaitingFile(services);
    if (!file) return;
    await whileClaimed(services, file, signal, (during) => ingest(services, file, during)).catch((error) =>
      endWithout(services, file, error, signal).catch((fault) => {
        if (!(fault instanceof ClaimLostError)) throw fault;
      }),
    );
  }
}

/** What becomes of a file that could not be read to its end. Throws PassedOnError. */
async function endWithout(services: Services, file: ClaimedFile, error: unknown, signal: AbortSignal): Promise<void> {
  if (error instanceof ClaimLostError) return;
  const { ingestionAttempts: attempts } = file;
  if (signal.aborted) {
    const data = { ingestion: 'QUEUED', ingestionAt: null, ingestionAttempts: attempts - 1 } as const;
    return updateClaimed(services, file, data);
  }
  if (error instanceof UnreadableError) return fail(services, file, error.message);
  services.log.error({ err: error, fileId: file.id }, 'ingestion');
  if (attempts >= maxAttempts) return fail(services, file, 'It could not be read.');
  const ingestionAt = new Date(Date.now() + services.timing.ingestion.retryMs * attempts);
  return updateClaimed(services, file, { ingestion: 'QUEUED', ingestionAt });
}

async function fail(services: Services, file: ClaimedFile, message: string): Promise<void> {
  await deletePassages(services.database, file.workspaceId, file.id);
  await updateClaimed(services, file, { ingestion: 'FAILED', ingestionError: message, ingestionAt: null });
}

async function ingest(services: Services, file: ClaimedFile, signal: AbortSignal): Promise<void> {
  const { embedder } = services;
  if (file.ingestionAttempts > maxAttempts) throw new UnreadableError('The server stopped each time that it was read.');
  // What a process left that died over it.
  await deletePassages(services.database, file.workspaceId, file.id);
  const tell = progressOf(services, file);
  const count = await readInto(services, file, signal, (progress) => tell(embedder ? progress / 2 : progress));
  const outcome = embedder
    ? await embedAtOnce(services, embedder, file, signal, (index) => tell((1 + index / count) / 2))
    : { ingestionAt: null };
  await updateClaimed(services, file, { ingestion: 'COMPLETED', ingestionProgress: 1, ...outcome });
}

/** Stores how far a file is, now and then. */
function progressOf(services: Services, file: ClaimedFile): (progress: number) => Promise<void> {
  let toldAt = Date.now();
  return async (progress) => {
    if (Date.now() - toldAt < tellEveryMs) return;
    toldAt = Date.now();
    await updateClaimed(services, file, { ingestionProgress: Math.min(progress, 0.99) });
  };
}

/** Stores the passages of a file; returns how many they are. */
async function readInto(
  services: Services,
  file: ClaimedFile,
  signal: AbortSignal,
  tell: (progress: number) => Promise<void>,
): Promise<number> {
  const chunker = new PassageSplitter();
  const waiting: PassageText[] = [];
  const terms = new Set<string>();
  let count = 0;
  for await (const part of readFile(services.files.read(file.workspaceId, file.blobKey), file.mimeType, signal)) {
    for (const chunk of chunker.take(part)) {
      count = chunk.index + 1;
      if (count > maxChunks) throw new UnreadableError(`It has more than ${maxChunks} passages.`);
      waiting.push(chunk);
      if (waiting.length < batchSize) continue;
      signal.throwIfAborted();
      await store(services, file, waiting.splice(0), terms);
    }
    await tell(part.progress);
  }
  await store(services, file, waiting, terms);
  return count;
}

/** Stores passages, and those of their terms that are not among the `terms` stored so far. */
async function store(services: Services, file: ClaimedFile, chunks: PassageText[], terms: Set<string>): Promise<void> {
  if (chunks.length === 0) return;
  const { workspaceId, id } = file;
  const fresh = new Set<string>();
  const rows = chunks.map(({ text, ...chunk }) => {
    const whole = text.toWellFormed();
    const words = searchWords(whole);
    for (const word of words) {
      if (terms.size + fresh.size < maxTerms && isTerm(word) && !terms.has(word)) fresh.add(word);
    }
    return { ...chunk, text: whole, words: words.join(' ') };
  });
  try {
    await services.database.$executeRaw`
      INSERT INTO "Passage" ("workspaceId", "fileId", "index", "text", "page", "words")
      SELECT ${workspaceId}, ${id}, c."index", c."text", c."page",
        to_tsvector('english', c."text") || to_tsvector('simple', c."words")
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS c ("index" int, "text" text, "page" int, "words" text)`;
    await services.database.$executeRaw`
      INSERT INTO "FileTerm" ("workspaceId", "fileId", "term")
      SELECT ${workspaceId}, ${id}, unnest(${[...fresh]}::text[]) ON CONFLICT DO NOTHING`;
  } catch (error) {
    throw writingFault(error);
  }
  for (const term of fresh) terms.add(term);
}

/** Rings for a file that waits to be made searchable, when the transaction commits. */
export function notifyIngestion({ queue }: Pick<Services, 'queue'>, tx: Transaction, file: File): Promise<void> {
  return file.ingestion === 'QUEUED' ? queue.enqueueIngestion(tx) : Promise.resolve();
}
