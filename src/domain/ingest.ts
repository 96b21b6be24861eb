import { randomUUID } from 'node:crypto';
import type { Transaction } from '../db/client.ts';
import type { File } from '../db/generated/client.ts';
import { Prisma } from '../db/generated/client.ts';
import { type Chunk, Chunker } from '../ingest/chunk.ts';
import { UnreadableError } from '../ingest/protocol.ts';
import { readFile } from '../ingest/read-file.ts';
import { searchWords } from '../ingest/search-words.ts';
import type { Services } from './context.ts';

/** Whoever was at a file and has not been heard of for so long is gone. */
const abandonedMs = 60_000;
/** How many passages one statement stores. */
const batchSize = 50;
/** How often whoever is at a file is heard of. */
const beatEveryMs = 10_000;
/** How often it is stored how far a file has been read. */
const tellEveryMs = 1000;
const maxChunks = 50_000;

type ClaimedFile = Pick<File, 'workspaceId' | 'id' | 'blobKey' | 'mimeType' | 'ingestionClaim'>;

/** The file is gone, or somebody else's. */
class PassedOnError extends Error {}

/**
 * Takes files that wait to be made searchable, one after the other, until none is left. Serves all workspaces. A file whose
 * process died is taken again.
 */
export async function ingestWaitingFiles(services: Services, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const file = await claim(services);
    if (!file) return;
    await ingest(services, file, signal).catch((error) => endWithout(services, file, error, signal));
  }
}

/** What becomes of a file that could not be read to its end. */
async function endWithout(services: Services, file: ClaimedFile, error: unknown, signal: AbortSignal): Promise<void> {
  if (error instanceof PassedOnError) return;
  if (signal.aborted) return giveBack(services, file);
  if (error instanceof UnreadableError) return fail(services, file, error.message);
  services.log.error({ err: error, fileId: file.id }, 'ingestion');
  return fail(services, file, 'It could not be read.');
}

async function claim({ database }: Services): Promise<ClaimedFile | null> {
  const before = new Date(Date.now() - abandonedMs);
  const [file] = await database.$queryRaw<ClaimedFile[]>`
    UPDATE "File" f SET "ingestion" = 'IN_PROGRESS', "ingestionAt" = now(), "ingestionProgress" = 0, "ingestionClaim" = ${randomUUID()}
    FROM (
      SELECT "workspaceId", "id" FROM "File"
      WHERE "ingestion" = 'QUEUED' OR "ingestion" = 'IN_PROGRESS' AND "ingestionAt" < ${before}
      ORDER BY "createdAt" LIMIT 1 FOR UPDATE SKIP LOCKED
    ) c WHERE f."workspaceId" = c."workspaceId" AND f."id" = c."id"
    RETURNING f."workspaceId", f."id", f."blobKey", f."mimeType", f."ingestionClaim"`;
  return file ?? null;
}

async function ingest(services: Services, file: ClaimedFile, signal: AbortSignal): Promise<void> {
  const { workspaceId, id } = file;
  const { database } = services;
  // What a process left that died over it.
  await database.fileChunk.deleteMany({ where: { workspaceId, fileId: id } });
  const passedOn = new AbortController();
  const beat = setInterval(() => {
    update(services, file, { ingestionAt: new Date() }).catch((error) => passedOn.abort(error));
  }, beatEveryMs);
  try {
    await readInto(services, file, AbortSignal.any([signal, passedOn.signal]));
  } finally {
    clearInterval(beat);
  }
}

async function readInto(services: Services, file: ClaimedFile, signal: AbortSignal): Promise<void> {
  const { workspaceId } = file;
  const { files } = services;
  const chunker = new Chunker();
  const waiting: Chunk[] = [];
  let toldAt = Date.now();
  for await (const part of readFile(files.read(workspaceId, file.blobKey), file.mimeType, signal)) {
    for (const chunk of chunker.take(part)) {
      if (chunk.index >= maxChunks) throw new UnreadableError(`It has more than ${maxChunks} passages.`);
      waiting.push(chunk);
      if (waiting.length < batchSize) continue;
      signal.throwIfAborted();
      await storeChunks(services, file, waiting.splice(0));
    }
    if (Date.now() - toldAt < tellEveryMs) continue;
    toldAt = Date.now();
    await update(services, file, { ingestionProgress: Math.min(part.progress, 0.99) });
  }
  await storeChunks(services, file, waiting);
  await update(services, file, { ingestion: 'COMPLETED', ingestionProgress: 1, ingestionAt: null });
}

async function storeChunks({ database }: Services, { workspaceId, id }: ClaimedFile, chunks: Chunk[]): Promise<void> {
  if (chunks.length === 0) return;
  const rows = chunks.map(({ text, ...chunk }) => {
    const whole = text.toWellFormed();
    return { ...chunk, text: whole, words: searchWords(whole).join(' ') };
  });
  try {
    await database.$executeRaw`
      INSERT INTO "FileChunk" ("workspaceId", "fileId", "index", "text", "page", "words")
      SELECT ${workspaceId}, ${id}, c."index", c."text", c."page",
        to_tsvector('english', c."text") || to_tsvector('simple', c."words")
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS c ("index" int, "text" text, "page" int, "words" text)`;
  } catch (error) {
    throw isGone(error) ? new PassedOnError() : error;
  }
}

/** Whether a row that was written to belongs to nothing any more. */
const isGone = (error: unknown) =>
  error instanceof Prisma.PrismaClientKnownRequestError &&
  /23503|foreign key/i.test(JSON.stringify(error.meta ?? error.message));

async function update(
  { database }: Services,
  { workspaceId, id, ingestionClaim }: ClaimedFile,
  data: Prisma.FileUncheckedUpdateManyInput,
): Promise<void> {
  const where = { workspaceId, id, ingestion: 'IN_PROGRESS' as const, ingestionClaim };
  const { count } = await database.file.updateMany({ where, data });
  if (count === 0) throw new PassedOnError();
}

async function giveBack(services: Services, file: ClaimedFile): Promise<void> {
  await update(services, file, { ingestion: 'QUEUED', ingestionAt: null }).catch(ignorePassedOn);
}

async function fail(services: Services, file: ClaimedFile, message: string): Promise<void> {
  const { workspaceId, id } = file;
  await services.database.fileChunk.deleteMany({ where: { workspaceId, fileId: id } });
  await update(services, file, { ingestion: 'FAILED', ingestionError: message, ingestionAt: null }).catch(
    ignorePassedOn,
  );
}

function ignorePassedOn(error: unknown): void {
  if (!(error instanceof PassedOnError)) throw error;
}

/** For the embedded database, which only this process can have open: whoever was at a file is gone. */
export async function releaseAllIngestions({ database }: Pick<Services, 'database'>): Promise<void> {
  await database.file.updateMany({
    where: { ingestion: 'IN_PROGRESS' },
    data: { ingestion: 'QUEUED', ingestionAt: null },
  });
}

/** Rings for a file that waits to be made searchable, when the transaction commits. */
export function ringForIngestion({ queue }: Pick<Services, 'queue'>, tx: Transaction, file: File): Promise<void> {
  return file.ingestion === 'QUEUED' ? queue.enqueueIngestion(tx) : Promise.resolve();
}
