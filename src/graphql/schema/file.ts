import { requireScope } from '../../domain/access/access.ts';
import type { DomainContext } from '../../domain/context.ts';
import { ForbiddenError, InvalidInputError, NotFoundError, QuotaExceededError } from '../../domain/error.ts';
import { deleteFile, filesVisibleTo, filesWhere, uploadFile } from '../../domain/file/file.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import type { Condition } from '../connection.ts';
import type { GraphContext } from '../context.ts';
import { listOf } from '../list-of.ts';
import { byAgeOrName } from '../list-order.ts';
import { deletedFromWorkspace, nodePayload, resultErrors } from '../result-union.ts';

const IngestionStatus = builder.enumType('IngestionStatus', {
  description: 'The progress of reading a file for the file_search tool.',
  values: {
    NOT_SEARCHABLE: { description: 'The file is not read: its type has no readable text, or a tool wrote it.' },
    QUEUED: { description: 'The file waits to be read, or to be read again after a temporary error.' },
    IN_PROGRESS: { description: 'The file is being read. The part that has been read can already be searched.' },
    COMPLETED: { description: 'The file has been read and can be searched.' },
    FAILED: { description: 'The file could not be read; see `error`.' },
  } as const,
});

const FileIngestion = builder.prismaObject('File', {
  variant: 'FileIngestion',
  description: 'The state of a file in the search index of the file_search tool.',
  fields: (t) => ({
    status: t.expose('ingestion', { type: IngestionStatus, description: 'The progress of reading the file.' }),
    progress: t.exposeFloat('ingestionProgress', {
      description: 'The fraction of the file that can be searched, from 0 to 1.',
    }),
    error: t.exposeString('ingestionError', {
      nullable: true,
      description: 'Why the file could not be read. Null: no error.',
    }),
    embeddingModel: t.string({
      nullable: true,
      description:
        'The embedding model with which searches compare the meaning of passages. Null: searches compare only words.',
      select: { embeddingModel: true, embeddingError: true },
      resolve: ({ embeddingModel, embeddingError }) => (embeddingError === null ? embeddingModel : null),
    }),
    embeddingError: t.exposeString('embeddingError', {
      nullable: true,
      description: 'Why embedding the file failed. Searches still find it by its words. Null: no error.',
    }),
    embeddingTokens: t.exposeInt('embeddingTokens', {
      description: 'The number of tokens that were sent to the embedding model for this file.',
    }),
  }),
});

/** A stored file. */
export const File = builder.prismaNode('File', {
  nullable: true,
  description: 'A stored file: a client uploaded it, or a tool of a run wrote it.',
  id: { resolve: ({ id }) => id, description: 'File id: `file_` and a UUIDv7 (TypeID).' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'THREADS_READ');
    // Ids without a known prefix arrive here as well (see `decodeGlobalID`).
    const key = { workspaceId: ctx.workspaceId, id: isId('File', id) ? id : '' };
    return { workspaceId_id: key, AND: [filesVisibleTo(ctx.actor)] };
  },
  fields: (t) => ({
    name: t.exposeString('name', {
      description: 'The file name with its extension, without folders: at most 200 characters.',
    }),
    mimeType: t.exposeString('mimeType', {
      description: 'The media type: derived from the extension of the name, or else as the upload declared it.',
    }),
    sizeBytes: t.exposeInt('sizeBytes', { description: 'The size in bytes.' }),
    url: t.string({
      description:
        'A signed download URL, valid for 15 to 30 minutes for anyone who has it. It supports range requests. With a credential, the path /files/<id> works without a signature and without expiry.',
      select: { id: true },
      resolve: ({ id }, _args, ctx) => ctx.fileLinks.linkTo(id),
    }),
    owner: t.exposeString('owner', {
      nullable: true,
      description: 'The end user to whom the file belongs: their user id. Null: it belongs to the workspace.',
    }),
    ingestion: t.variant(FileIngestion, { description: 'The state of the file in the search index.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the file was stored.' }),
  }),
});

/** Loads files by id, in the order of the ids. Null for a file that the actor may not see. */
export async function filesById(
  ctx: DomainContext,
  ids: readonly string[],
): Promise<Array<typeof File.$inferType | null>> {
  const where = { AND: [{ id: { in: [...ids] } }, filesVisibleTo(ctx.actor)] };
  const files = new Map((await ctx.db.file.findMany({ where })).map((file) => [file.id, file]));
  return ids.map((id) => files.get(id) ?? null);
}

/** Loads the files of rows, in their order, without files that the actor may not see. */
export async function filesOf(
  ctx: GraphContext,
  rows: ReadonlyArray<{ fileId: string }>,
): Promise<Array<typeof File.$inferType>> {
  const files = await Promise.all(rows.map(({ fileId }) => ctx.load(filesById, fileId)));
  return files.filter((file) => file !== null);
}

const FileFilter = builder.inputType('FileFilter', {
  description: 'Selects files that meet all of the given conditions.',
  fields: (t) => ({
    search: t.string({ description: 'A text that the name contains, case-insensitive: at most 255 characters.' }),
    threadId: t.id({
      description:
        'The thread that has the file: attached to the thread or to a message, or written by one of its runs.',
    }),
    assistantId: t.id({ description: 'The assistant that has the file.' }),
  }),
});

const files = listOf(File, {
  model: 'file',
  noun: 'file',
  filter: { type: FileFilter, default: 'all files' },
  order: byAgeOrName('files', 'File'),
  where: (filter, ctx) => {
    requireScope(ctx, 'THREADS_READ');
    return filesWhere(ctx, filter) as Condition;
  },
});

builder.queryField('file', (t) =>
  t.prismaField({
    type: File,
    nullable: true,
    description: 'Returns a file. Null if no visible file has this id.',
    args: { id: t.arg.id({ required: true, description: 'The id of the file.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'THREADS_READ');
      const where = { AND: [{ id }, filesVisibleTo(ctx.actor)] };
      return isId('File', id) ? ctx.db.file.findFirst({ ...query, where }) : null;
    },
  }),
);
builder.queryField(
  'files',
  files.root(
    'Lists the files that you may see, newest first: all files of the workspace for an API key; for an end user their own, those in their threads, and those of assistants.',
  ),
);

const UploadFileInput = builder.inputType('UploadFileInput', {
  description: 'A file to store.',
  fields: (t) => ({
    file: t.field({
      type: 'Upload',
      required: true,
      description:
        'The content of the file. The server limits its size (MAX_UPLOAD_BYTES, by default 100,000,000 bytes).',
    }),
    name: t.string({
      description:
        'The file name with its extension: at most 255 characters, of which 200 are stored. Omit for the name in the upload.',
    }),
  }),
});

const DeleteFileInput = builder.inputType('DeleteFileInput', {
  description: 'Selects the file to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The file to delete.' }) }),
});

builder.mutationFields((t) => ({
  uploadFile: t.field({
    type: nodePayload('UploadFilePayload', 'file', File, 'The file that was stored.'),
    description:
      'Stores a file. To use it, pass its id in `fileIds` of a message, a thread or an assistant. A file that an end user uploads belongs to them. Refused with InvalidInputError if the file is too large, and with QuotaExceededError if the workspace or the end user has no room for more bytes or files.',
    errors: resultErrors('UploadFile', [InvalidInputError, QuotaExceededError, ForbiddenError]),
    args: { input: t.arg({ type: UploadFileInput, required: true, description: 'The file to store.' }) },
    resolve: async (_root, { input }, ctx) => ({ file: await uploadFile(ctx, input) }),
  }),
  deleteFile: t.field({
    type: deletedFromWorkspace('DeleteFilePayload'),
    description:
      'Deletes a file everywhere: from threads, messages, assistants and the search index, with the outputs of searches that found it. Runs continue without it. Refused with ForbiddenError if an end user does not own the file.',
    errors: resultErrors('DeleteFile', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeleteFileInput, required: true, description: 'The file to delete.' }) },
    resolve: async (_root, { input }, ctx) => ({ deletedId: await deleteFile(ctx, input) }),
  }),
}));
