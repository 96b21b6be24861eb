import { FairSlots } from '../../async/fair-slots.ts';
import type { Transaction } from '../../db/client.ts';
import type { File } from '../../db/generated/client.ts';
import { UnreadableError } from '../../ingest/protocol.ts';
import { readFile } from '../../ingest/read-file.ts';
import { isTerm, searchWords } from '../../ingest/search-words.ts';
import { PassageSplitter, type PassageText } from '../../ingest/split-passages.ts';
import type { Services } from '../context.ts';
import { searchLimits } from '../limits.ts';
import { embedAtOnce } from './embedding.ts';
import {
  type ClaimedFile,
  ClaimLostError,
  claimWaitingFile,
  databaseTime,
  queueAbandonedFiles,
  updateClaimed,
  whileClaimed,
  writingFault,
} from './ingest-claim.ts';
import { deletePassages } from './passage.ts';

/** Passages that one statement stores. */
const batchSize = 50;
/** The least time between two updates of a file's progress. */
const progressEveryMs = 1000;

/** The lanes in which a process reads files, shared fairly. Claims happen one after the other: each counts those before. */
export class IngestLanes {
  readonly #slots: FairSlots;
  #last: Promise<unknown> = Promise.resolve();

  /** `count`: the number of lanes. */
  constructor(count: number) {
    this.#slots = new FairSlots(count);
  }

  /** Claims the next file for a lane; `giveBack` frees the lane. Returns null when there is no file to claim. */
  claim(services: Services): Promise<{ file: ClaimedFile; giveBack: () => void } | null> {
    const claim = this.#last.then(async () => {
      const file = await claimWaitingFile(services, this.#slots);
      if (!file) return null;
      return { file, giveBack: this.#slots.take({ workspaceId: file.workspaceId, owner: file.owner ?? '' }) };
    });
    this.#last = claim.catch(() => {});
    return claim;
  }
}

/**
 * Ingests waiting files of all workspaces in one lane, one after the other, until none is left that this process may read.
 * A file whose worker died is claimed again.
 */
export async function ingestWaitingFiles(services: Services, lanes: IngestLanes, signal: AbortSignal): Promise<void> {
  await queueAbandonedFiles(services);
  while (!signal.aborted) {
    const claimed = await lanes.claim(services);
    if (!claimed) return;
    const { file, giveBack } = claimed;
    await whileClaimed(services, file, signal, (during) => ingest(services, file, during))
      .catch((error) =>
        endUnread(services, file, error, signal).catch((fault) => {
          if (!(fault instanceof ClaimLostError)) throw fault;
        }),
      )
      .finally(giveBack);
  }
}

/** Queues a file again, or fails it, after its ingestion ended with an error. Throws ClaimLostError. */
async function endUnread(services: Services, file: ClaimedFile, error: unknown, signal: AbortSignal): Promise<void> {
  if (error instanceof ClaimLostError) return;
  const { ingestionAttempts: attempts } = file;
  if (signal.aborted) {
    const data = { ingestion: 'QUEUED', ingestionAt: null, ingestionAttempts: attempts - 1 } as const;
    return updateClaimed(services, file, data);
  }
  if (error instanceof UnreadableError) return fail(services, file, error.message);
  services.log.error({ err: error, fileId: file.id }, 'ingestion failed');
  if (attempts >= searchLimits.ingestionAttempts) return fail(services, file, 'The file could not be read.');
  const ingestionAt = await databaseTime(services, services.timing.ingestion.retryMs * attempts);
  return updateClaimed(services, file, { ingestion: 'QUEUED', ingestionAt });
}

async function fail(services: Services, file: ClaimedFile, message: string): Promise<void> {
  await deletePassages(services.database, file.workspaceId, file.id);
  await updateClaimed(services, file, { ingestion: 'FAILED', ingestionError: message, ingestionAt: null });
}

async function ingest(services: Services, file: ClaimedFile, signal: AbortSignal): Promise<void> {
  const { embedder } = services;
  if (file.ingestionAttempts > searchLimits.ingestionAttempts) {
    throw new UnreadableError('The server stopped each time it read the file.');
  }
  // An attempt that died may have left passages.
  await deletePassages(services.database, file.workspaceId, file.id);
  const report = progressReporter(services, file);
  const count = await readInto(services, file, signal, (progress) => report(embedder ? progress / 2 : progress));
  const outcome = embedder
    ? await embedAtOnce(services, embedder, file, signal, (index) => report((1 + index / count) / 2))
    : { ingestionAt: null };
  await updateClaimed(services, file, { ingestion: 'COMPLETED', ingestionProgress: 1, ...outcome });
}

/** Returns a function that stores the progress of a file, from 0 to 1, at most once a second. */
function progressReporter(services: Services, file: ClaimedFile): (progress: number) => Promise<void> {
  let storedAt = Date.now();
  return async (progress) => {
    if (Date.now() - storedAt < progressEveryMs) return;
    storedAt = Date.now();
    await updateClaimed(services, file, { ingestionProgress: Math.min(progress, 0.99) });
  };
}

/** Reads a file and stores its passages. Returns their number. */
async function readInto(
  services: Services,
  file: ClaimedFile,
  signal: AbortSignal,
  report: (progress: number) => Promise<void>,
): Promise<number> {
  const splitter = new PassageSplitter();
  const waiting: PassageText[] = [];
  const terms = new Set<string>();
  let count = 0;
  const bytes = services.files.read(file.workspaceId, file.blobKey);
  const { readMs } = services.timing.ingestion;
  for await (const part of readFile(bytes, file.mimeType, { readMs, signal })) {
    for (const passage of splitter.split(part)) {
      count = passage.index + 1;
      if (count > searchLimits.passagesPerFile) {
        throw new UnreadableError(`The file has more than ${searchLimits.passagesPerFile} passages.`);
      }
      waiting.push(passage);
      if (waiting.length < batchSize) continue;
      signal.throwIfAborted();
      await store(services, file, waiting.splice(0), terms);
    }
    await report(part.progress);
  }
  await store(services, file, waiting, terms);
  return count;
}

/** Stores passages and their new terms. `terms`: those of the file that are stored already; new ones are added to it. */
async function store(services: Services, file: ClaimedFile, passages: PassageText[], terms: Set<string>) {
  if (passages.length === 0) return;
  const { workspaceId, id } = file;
  const fresh = new Set<string>();
  const rows = passages.map(({ text, ...passage }) => {
    const whole = text.toWellFormed();
    const words = searchWords(whole);
    for (const word of words) {
      if (terms.size + fresh.size < searchLimits.wordsPerFile && isTerm(word) && !terms.has(word)) fresh.add(word);
    }
    return { ...passage, text: whole, words: words.join(' ') };
  });
  try {
    await services.database.$executeRaw`
      INSERT INTO "Passage" ("workspaceId", "fileId", "index", "text", "page", "words")
      SELECT ${workspaceId}, ${id}, p."index", p."text", p."page",
        to_tsvector('english', p."text") || to_tsvector('simple', p."words")
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS p ("index" int, "text" text, "page" int, "words" text)`;
    await services.database.$executeRaw`
      INSERT INTO "FileTerm" ("workspaceId", "fileId", "term")
      SELECT ${workspaceId}, ${id}, unnest(${[...fresh]}::text[]) ON CONFLICT DO NOTHING`;
  } catch (error) {
    throw writingFault(error);
  }
  for (const term of fresh) terms.add(term);
}

/** Notifies workers of a queued file when the transaction commits. */
export function notifyIngestion({ queue }: Pick<Services, 'queue'>, tx: Transaction, file: File): Promise<void> {
  return file.ingestion === 'QUEUED' ? queue.enqueueIngestion(tx) : Promise.resolve();
}
