import mime from 'mime';
import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import type { File, Prisma } from '../../db/generated/client.ts';
import type { StagedBytes } from '../../files/staging.ts';
import { Upload } from '../../files/upload.ts';
import { isId, newId } from '../../id.ts';
import { kindOfType } from '../../ingest/kind.ts';
import { requireScope } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { threadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import { ForbiddenError, InvalidInputError, NotFoundError, QuotaExceededError } from '../error.ts';
import { absentOr, parse, searchIn, textUpTo } from '../input.ts';
import { notifyIngestion } from '../search/ingest.ts';
import { deletePassages } from '../search/passage.ts';
import { deleteUnusedBlobs, keepBytes } from './blob.ts';

/** How many files there are at most. */
const maxFiles = 100_000;
const maxFilesOfUser = 10_000;

const uploadInput = z.object({
  file: z.instanceof(Upload, { error: 'Send a file, as the GraphQL multipart request convention says' }),
  name: absentOr(textUpTo(255)),
});
const filterInput = z.object({
  search: absentOr(textUpTo(255)),
  threadId: absentOr(z.string()),
  assistantId: absentOr(z.string()),
});

/** The files that runs of a thread, or of all threads with an assistant, can use. */
export const fileIds = absentOr(z.array(z.string()).max(1000, 'At most 1000 files, please'));

/** A file to be stored. */
export interface NewFile {
  name: string;
  mimeType: string | null;
  bytes: StagedBytes;
  /** The end user whose it is; null: the workspace's. */
  owner: string | null;
  /** The thread, and the call in it, that wrote it. */
  writtenBy?: { threadId: string; toolCallId: string };
}

/**
 * What files the actor sees: a key all of the workspace, an end user their own, those in their threads, and those that an
 * assistant works with.
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
      { inAssistants: { some: {} } },
    ],
  };
}

/** A name without folders and control characters, as it can be shown and offered for saving. */
function plainName(name: string): string {
  const last = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  const plain = last
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .trim()
    .replace(/^\.{1,2}$/, '');
  return [...(plain || 'file')].slice(0, 200).join('');
}

/** The type that a name stands for, else what somebody said it was. */
function typeOf(name: string, said: string | null): string {
  const isType = said !== null && /^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(said);
  return mime.getType(name) ?? (isType ? said.toLowerCase() : 'application/octet-stream');
}

/**
 * Stores a file. Throws QuotaExceededError when the workspace, or the end user, has no room for it; the staged bytes are
 * gone in any case.
 */
export async function storeFile(ctx: DomainContext, file: NewFile): Promise<File> {
  const { bytes, owner, writtenBy } = file;
  const name = plainName(file.name);
  const key = await ctx.files.put(ctx.workspaceId, bytes);
  let blobKey: string | null = null;
  let isStored = false;
  try {
    const stored = await ctx.db.$transaction(async (tx) => {
      await requireRoom(ctx, tx, bytes.sizeBytes, owner);
      blobKey = await keepBytes(ctx, tx, key, bytes);
      const mimeType = typeOf(name, file.mimeType);
      // What tools write is there to be taken, not to be searched.
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
    // Where the connection broke nobody knows, and the database is asked: bytes that it knows are not taken away.
    const isKept = isStored ? blobKey === key : (await ctx.db.blob.count({ where: { key } })) > 0;
    if (!isKept) await ctx.files.remove(ctx.workspaceId, key);
  }
}

/** Files are counted one after the other: the row of the workspace is locked until the transaction ends. */
async function requireRoom(ctx: DomainContext, tx: Transaction, sizeBytes: number, owner: string | null) {
  const { workspaceBytes, userBytes } = ctx.fileLimits;
  await tx.$queryRaw`SELECT 1 FROM "Workspace" WHERE "id" = ${ctx.workspaceId} FOR NO KEY UPDATE`;
  const [sum] = await tx.$queryRaw<Array<{ all: number | null; own: number | null; count: number; ownCount: number }>>`
    SELECT count(*)::int AS "count", (count(*) FILTER (WHERE "owner" = ${owner}))::int AS "ownCount",
      sum("sizeBytes")::float8 AS "all", (sum("sizeBytes") FILTER (WHERE "owner" = ${owner}))::float8 AS "own"
    FROM "File" WHERE "workspaceId" = ${ctx.workspaceId}`;
  if ((sum?.all ?? 0) + sizeBytes > workspaceBytes) {
    throw new QuotaExceededError(`The workspace keeps at most ${workspaceBytes} bytes of files: delete some.`, null);
  }
  if ((sum?.count ?? 0) >= maxFiles || (sum?.ownCount ?? 0) >= maxFilesOfUser) {
    const most = `${maxFiles} files, and a user ${maxFilesOfUser}`;
    throw new QuotaExceededError(`A workspace keeps at most ${most}: delete some.`, null);
  }
  if (owner !== null && (sum?.own ?? 0) + sizeBytes > userBytes) {
    throw new QuotaExceededError(`A user keeps at most ${userBytes} bytes of files: delete some.`, null);
  }
}

/** Stores a file that came with the request: an end user's own, else the workspace's. */
export async function uploadFile(ctx: DomainContext, input: unknown): Promise<File> {
  requireScope(ctx, 'THREADS_WRITE');
  const { file, name } = parse(uploadInput, input);
  if (file.bytes === null) {
    throw InvalidInputError.at('file', `The file is larger than ${ctx.fileLimits.uploadBytes} bytes, the limit.`);
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
 * Deletes a file, with all that was made of it: it is in no thread, message or assistant any more, and no search finds it.
 * An end user deletes their own only.
 */
export async function deleteFile(ctx: DomainContext, input: unknown): Promise<string> {
  requireScope(ctx, 'THREADS_WRITE');
  const { id } = parse(z.object({ id: z.string() }), input);
  const file = await findFile(ctx, id);
  const isOwn = ctx.actor.kind !== 'USER' || file.owner === ctx.actor.userId;
  if (!isOwn) throw new ForbiddenError(null, 'An end user deletes their own files only.');
  await ctx.db.$transaction(async (tx) => {
    await tx.$executeRaw`
      UPDATE "Message" m SET "annotations" = (
        SELECT jsonb_agg(a) FROM jsonb_array_elements(m."annotations") a WHERE a->>'fileId' <> ${id})
      WHERE "workspaceId" = ${ctx.workspaceId} AND "annotations" IS NOT NULL
        AND "annotations" @> ${JSON.stringify([{ fileId: id }])}::jsonb`;
    await forgetSearches(tx, id);
    const data = { ingestion: 'NOT_SEARCHABLE', ingestionError: null, ingestionClaim: null } as const;
    await tx.file.updateMany({ where: { id }, data });
  });
  await deletePassages(ctx.database, ctx.workspaceId, id);
  const { count } = await ctx.db.$transaction(async (tx) => {
    // A search that ends meanwhile has either stored what it found before this, or finds that it is gone.
    await tx.$queryRaw`SELECT 1 FROM "File" WHERE "workspaceId" = ${ctx.workspaceId} AND "id" = ${id} FOR UPDATE`;
    await forgetSearches(tx, id);
    return tx.file.deleteMany({ where: { id } });
  });
  if (count === 0) throw new NotFoundError(id);
  await deleteUnusedBlobs(ctx, new AbortController().signal, ctx.workspaceId);
  return id;
}

/** What a search told the model of a file goes with it. */
const forgetSearches = (tx: Transaction, id: string) =>
  tx.toolCall.updateMany({ where: { searchResults: { some: { fileId: id } } }, data: { output: null } });

/** The `where` of a filter over files. */
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
