import mime from 'mime';
import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import type { File, Prisma } from '../../db/generated/client.ts';
import { isNoRoom } from '../../files/no-room.ts';
import type { StagedBytes } from '../../files/staging.ts';
import { Upload } from '../../files/upload.ts';
import { isId, newId } from '../../id.ts';
import { kindOfType } from '../../ingest/kind.ts';
import { requireScope } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { inAssistantsVisibleTo, threadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import { ForbiddenError, InvalidInputError, NoRoomError, NotFoundError } from '../error.ts';
import { absentOr, parse, searchIn, textUpTo } from '../input.ts';
import { fileLimits } from '../limits.ts';
import { notifyIngestion } from '../search/ingest.ts';
import { deletePassages } from '../search/passage.ts';
import { deleteUnusedBlobs, keepBytes } from './blob.ts';
import { requireFileRoom } from './file-room.ts';

const uploadInput = z.object({
  file: z.instanceof(Upload, { error: 'Send the file according to the GraphQL multipart request specification' }),
  name: absentOr(textUpTo(fileLimits.name)),
});
const filterInput = z.object({
  search: absentOr(textUpTo(fileLimits.name)),
  threadId: absentOr(z.string()),
  assistantId: absentOr(z.string()),
});

/** Input: the ids of the files attached to a thread or an assistant. */
export const fileIds = absentOr(z.array(z.string()).max(fileLimits.attached, `At most ${fileLimits.attached} files`));

/** A file to store. */
export interface NewFile {
  name: string;
  mimeType: string | null;
  bytes: StagedBytes;
  /** The end user who owns it; null: the workspace. */
  owner: string | null;
  /** The tool call that wrote it, and its thread. */
  writtenBy?: { threadId: string; toolCallId: string };
}

/**
 * The files that an actor sees. API keys see all files of the workspace. End users see their own, those in their threads
 * and those of the assistants that they may use.
 */
export function filesVisibleTo(actor: Actor): Prisma.FileWhereInput {
  if (actor.kind !== 'USER') return {};
  const thread = threadsVisibleTo(actor);
  return {
    OR: [
      { owner: actor.userId },
      { thread },
      { inMessages: { some: { message: { thread } } } },
      { inThreads: { some: { thread } } },
      { inAssistants: { some: inAssistantsVisibleTo(actor) } },
    ],
  };
}

/** The last segment of a name without control characters: safe to show and to save under. */
function plainName(name: string): string {
  const last = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  const plain = last
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .trim()
    .replace(/^\.{1,2}$/, '');
  return [...(plain || 'file')].slice(0, fileLimits.storedName).join('');
}

/** The MIME type of a name's extension, else the declared one if it is well-formed. */
function typeOf(name: string, declared: string | null): string {
  const isType = declared !== null && /^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(declared);
  return mime.getType(name) ?? (isType ? declared.toLowerCase() : 'application/octet-stream');
}

/**
 * Stores a file and queues its ingestion if it is searchable. The staged bytes are consumed in any case. Throws
 * QuotaExceededError when the workspace or the end user has no room for it, and NoRoomError when the disk has none.
 */
export async function storeFile(ctx: DomainContext, file: NewFile): Promise<File> {
  try {
    const key = await ctx.files.put(ctx.workspaceId, file.bytes);
    return await storeBytes(ctx, file, key);
  } catch (error) {
    throw isNoRoom(error) ? new NoRoomError() : error;
  } finally {
    await ctx.staging.discard(file.bytes);
  }
}

/** Stores a file whose bytes the store has under `key`; they are removed if the file does not need them. */
async function storeBytes(ctx: DomainContext, file: NewFile, key: string): Promise<File> {
  const { bytes, owner, writtenBy } = file;
  const name = plainName(file.name);
  let blobKey: string | null = null;
  let isStored = false;
  try {
    const stored = await ctx.db.$transaction(async (tx) => {
      await requireFileRoom(ctx, tx, bytes.sizeBytes, owner);
      blobKey = await keepBytes(ctx, tx, key, bytes);
      const mimeType = typeOf(name, file.mimeType);
      // Files that tools write are for download, not for search.
      const ingestion = writtenBy || kindOfType(mimeType) === null ? ('NOT_SEARCHABLE' as const) : ('QUEUED' as const);
      const data = { name, mimeType, sizeBytes: bytes.sizeBytes, owner, ingestion, ...writtenBy };
      const stored = await tx.file.create({
        data: { ...data, blobKey, workspaceId: ctx.workspaceId, id: newId('File') },
      });
      await notifyIngestion(ctx, tx, stored);
      return stored;
    });
    isStored = true;
    return stored;
  } finally {
    // After a lost connection the outcome is unknown: bytes that the database refers to are kept.
    const isKept = isStored ? blobKey === key : (await ctx.db.blob.count({ where: { key } })) > 0;
    if (!isKept) await ctx.files.remove(ctx.workspaceId, key);
  }
}

/**
 * Stores an uploaded file. It belongs to the end user who uploaded it, or to the workspace. Throws InvalidInputError,
 * QuotaExceededError and NoRoomError.
 */
export async function uploadFile(ctx: DomainContext, input: unknown): Promise<File> {
  requireScope(ctx, 'THREADS_WRITE');
  const { file, name } = parse(uploadInput, input);
  if (file.bytes === null) {
    throw file.refusal ?? InvalidInputError.at('file', `At most ${ctx.fileLimits.uploadBytes} bytes`);
  }
  if (!name && file.name === '') {
    throw InvalidInputError.at('file', 'The file has no name. Send one in its part of the request, or in `name`');
  }
  return storeFile(ctx, {
    name: name || file.name,
    mimeType: file.mimeType,
    bytes: file.bytes,
    owner: ctx.actor.kind === 'USER' ? ctx.actor.userId : null,
  });
}

/** A file that the actor sees. Throws NotFoundError. */
async function findFile(ctx: DomainContext, id: string): Promise<File> {
  const where = { AND: [{ id }, filesVisibleTo(ctx.actor)] };
  const file = isId('File', id) ? await ctx.db.file.findFirst({ where }) : null;
  if (!file) throw new NotFoundError(id);
  return file;
}

/** Throws NotFoundError unless the actor sees all of the files. */
export async function requireFiles(
  ctx: DomainContext,
  db: Pick<Transaction, 'file'>,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  const where = { AND: [{ id: { in: ids.filter((id) => isId('File', id)) } }, filesVisibleTo(ctx.actor)] };
  const found = new Set((await db.file.findMany({ where, select: { id: true } })).map(({ id }) => id));
  for (const id of ids) if (!found.has(id)) throw new NotFoundError(id);
}

/**
 * Deletes a file with its passages, citations and search results, and detaches it from threads, messages and assistants.
 * Throws NotFoundError, and ForbiddenError when an end user does not own it.
 */
export async function deleteFile(ctx: DomainContext, input: unknown): Promise<string> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id } = parse(z.object({ id: z.string() }), input);
  const file = await findFile(ctx, id);
  const isOwn = ctx.actor.kind !== 'USER' || file.owner === ctx.actor.userId;
  if (!isOwn) throw new ForbiddenError(null, 'End users can delete only their own files.');
  await ctx.db.$transaction(async (tx) => {
    await tx.$executeRaw`
      UPDATE "Message" m SET "annotations" = (
        SELECT jsonb_agg(a) FROM jsonb_array_elements(m."annotations") a WHERE a->>'fileId' <> ${id})
      WHERE "workspaceId" = ${ctx.workspaceId} AND "annotations" IS NOT NULL
        AND "annotations" @> ${JSON.stringify([{ fileId: id }])}::jsonb`;
    await redactSearches(tx, id);
    const data = { ingestion: 'NOT_SEARCHABLE', ingestionError: null, ingestionClaim: null } as const;
    await tx.file.updateMany({ where: { id }, data });
  });
  await deletePassages(ctx.database, ctx.workspaceId, id);
  const { count } = await ctx.db.$transaction(async (tx) => {
    // A concurrent search has either stored its results before this lock, or finds that the file is deleted.
    await tx.$queryRaw`SELECT 1 FROM "File" WHERE "workspaceId" = ${ctx.workspaceId} AND "id" = ${id} FOR UPDATE`;
    await redactSearches(tx, id);
    return tx.file.deleteMany({ where: { id } });
  });
  if (count === 0) throw new NotFoundError(id);
  await deleteUnusedBlobs(ctx, new AbortController().signal, ctx.workspaceId);
  return id;
}

/** Deletes the outputs of searches that found the file. */
const redactSearches = (tx: Transaction, id: string) =>
  tx.toolCall.updateMany({ where: { searchResults: { some: { fileId: id } } }, data: { output: null } });

/** The `where` of a file filter, limited to the visible files. */
export function filesWhere(ctx: DomainContext, input: unknown): Prisma.FileWhereInput {
  const { search, threadId, assistantId } = parse(filterInput, input ?? {});
  const inThread: Prisma.FileWhereInput = {
    OR: [{ threadId }, { inThreads: { some: { threadId } } }, { inMessages: { some: { message: { threadId } } } }],
  };
  return {
    AND: [
      filesVisibleTo(ctx.actor),
      search ? { OR: searchIn(['name'], search) } : {},
      threadId === undefined ? {} : inThread,
      assistantId === undefined ? {} : { inAssistants: { some: { assistantId } } },
    ],
  };
}
