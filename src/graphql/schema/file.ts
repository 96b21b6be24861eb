import { requireScope } from '../../domain/access/access.ts';
import type { DomainContext } from '../../domain/context.ts';
import { ForbiddenError, InvalidInputError, NotFoundError, QuotaExceededError } from '../../domain/error.ts';
import { deleteFile, filesVisibleTo, filesWhere, uploadFile } from '../../domain/file/file.ts';
import { isId } from '../../id.ts';
import { builder } from '../builder.ts';
import type { GraphContext } from '../context.ts';
import { newestFirst, rootList } from '../list.ts';
import { deletedPayload, resultErrors } from '../result-union.ts';

const IngestionStatus = builder.enumType('IngestionStatus', {
  description: 'How far a file is on its way to being searched by file_search.',
  values: {
    NOT_SEARCHABLE: { description: 'It holds no text that is read here.' },
    QUEUED: { description: 'It waits to be read.' },
    IN_PROGRESS: { description: 'It is being read.' },
    COMPLETED: { description: 'It can be searched.' },
    FAILED: { description: 'It could not be read; `error` says why.' },
  } as const,
});

const FileIngestion = builder.prismaObject('File', {
  variant: 'FileIngestion',
  description: 'How a file is made searchable.',
  fields: (t) => ({
    status: t.expose('ingestion', { type: IngestionStatus, description: 'How far it is.' }),
    progress: t.exposeFloat('ingestionProgress', { description: 'How far that is: 0 to 1.' }),
    error: t.exposeString('ingestionError', {
      nullable: true,
      description: 'Why it could not be; null: nothing is wrong.',
    }),
    embeddingModel: t.string({
      nullable: true,
      description: 'The model that its passages are compared by, beside their words; null: by their words alone.',
      select: { embeddingModel: true, embeddingError: true },
      resolve: ({ embeddingModel, embeddingError }) => (embeddingError === null ? embeddingModel : null),
    }),
    embeddingError: t.exposeString('embeddingError', {
      nullable: true,
      description: 'Why they are compared by their words alone although there is a model; it can be found by those.',
    }),
    embeddingTokens: t.exposeInt('embeddingTokens', {
      description: 'How many tokens the model has been given of it.',
    }),
  }),
});

/** Something that somebody uploaded or that a tool wrote. */
export const File = builder.prismaNode('File', {
  nullable: true,
  description: 'A file that somebody uploaded or that a tool wrote.',
  id: { resolve: ({ id }) => id, description: 'The id.' },
  findUnique: (id, ctx) => {
    requireScope(ctx, 'THREADS_READ');
    // Whatever is no id of anything is asked for here, too.
    const key = { workspaceId: ctx.workspaceId, id: isId('File', id) ? id : '' };
    return { workspaceId_id: key, AND: [filesVisibleTo(ctx.actor)] };
  },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, with the ending.' }),
    mimeType: t.exposeString('mimeType', { description: 'Its media type, as its name says, or whoever uploaded it.' }),
    sizeBytes: t.exposeInt('sizeBytes', { description: 'How large it is, in bytes.' }),
    url: t.string({
      description:
        'Where it can be downloaded, in parts, too (Range). Whoever has this address can, for some 15 to 30 minutes; with a credential, /files/<id> without a signature is good for ever.',
      select: { id: true },
      resolve: ({ id }, _args, ctx) => ctx.fileLinks.linkTo(id),
    }),
    owner: t.exposeString('owner', {
      nullable: true,
      description: 'The end user it belongs to; null: the workspace itself.',
    }),
    ingestion: t.variant(FileIngestion, { description: 'Whether and how it can be searched.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was stored.' }),
  }),
});

/** The files of some ids, null where the actor sees none. */
export async function filesById(
  ctx: DomainContext,
  ids: readonly string[],
): Promise<Array<typeof File.$inferType | null>> {
  const where = { AND: [{ id: { in: [...ids] } }, filesVisibleTo(ctx.actor)] };
  const files = new Map((await ctx.db.file.findMany({ where })).map((file) => [file.id, file]));
  return ids.map((id) => files.get(id) ?? null);
}

/** The files that some rows name, those that the actor sees, in their order. */
export async function filesOf(
  ctx: GraphContext,
  rows: ReadonlyArray<{ fileId: string }>,
): Promise<Array<typeof File.$inferType>> {
  const files = await Promise.all(rows.map(({ fileId }) => ctx.load(filesById, fileId)));
  return files.filter((file) => file !== null);
}

const FileEdge = builder.edgeObject({ type: File, name: 'FileEdge', description: 'One file in a list.' });
const FileConnection = builder.connectionObject(
  { type: File, name: 'FileConnection', description: 'A page of files.' },
  FileEdge,
);

const FileFilter = builder.inputType('FileFilter', {
  description: 'Which files; all conditions hold.',
  fields: (t) => ({
    search: t.string({ description: 'A text in the name, whatever its case.' }),
    threadId: t.id({ description: 'Those that came with this thread or its messages, or that its runs wrote.' }),
    assistantId: t.id({ description: 'Those that this assistant works with.' }),
  }),
});

builder.queryFields((t) => ({
  file: t.prismaField({
    type: File,
    nullable: true,
    description: 'A file; null when there is none with this id for you.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, ctx) => {
      requireScope(ctx, 'THREADS_READ');
      const where = { AND: [{ id }, filesVisibleTo(ctx.actor)] };
      return isId('File', id) ? ctx.db.file.findFirst({ ...query, where }) : null;
    },
  }),
  files: t.connection(
    {
      type: File,
      description: 'The files that you see, the newest first.',
      args: { filter: t.arg({ type: FileFilter, description: 'Which ones; absent: all.' }) },
      resolve: async (_root, args, ctx, info) => {
        requireScope(ctx, 'THREADS_READ');
        const list = {
          model: 'file',
          typeName: 'File',
          order: newestFirst('files'),
          where: filesWhere(ctx, args.filter),
        } as const;
        return rootList(ctx.db, ctx, info, list as never, args) as never;
      },
    },
    FileConnection,
    FileEdge,
  ),
}));

const UploadFileInput = builder.inputType('UploadFileInput', {
  description: 'A file to store.',
  fields: (t) => ({
    file: t.field({ type: 'Upload', required: true, description: 'The file, by the GraphQL multipart convention.' }),
    name: t.string({ description: 'Another name for it, with the ending: up to 255 characters.' }),
  }),
});

const DeleteFileInput = builder.inputType('DeleteFileInput', {
  description: 'A file to delete.',
  fields: (t) => ({ id: t.id({ required: true, description: 'The file.' }) }),
});

const UploadFilePayload = builder.simpleObject('UploadFilePayload', {
  description: 'The stored file.',
  fields: (t) => ({ file: t.field({ type: File, nullable: false, description: 'The file.' }) }),
});

builder.mutationFields((t) => ({
  uploadFile: t.field({
    type: UploadFilePayload,
    description:
      'Stores a file: name it in fileIds of a message, a thread or an assistant to use it. An end user owns what they upload.',
    errors: resultErrors('UploadFile', [InvalidInputError, QuotaExceededError, ForbiddenError]),
    args: { input: t.arg({ type: UploadFileInput, required: true, description: 'The file.' }) },
    resolve: async (_root, { input }, ctx) => ({ file: await uploadFile(ctx, input) }),
  }),
  deleteFile: t.field({
    type: deletedPayload('DeleteFilePayload'),
    description:
      'Deletes a file with all that was made of it, wherever it is used. An end user deletes their own only.',
    errors: resultErrors('DeleteFile', [NotFoundError, InvalidInputError, ForbiddenError]),
    args: { input: t.arg({ type: DeleteFileInput, required: true, description: 'Which one.' }) },
    resolve: async (_root, { input }, ctx) => ({ deletedId: await deleteFile(ctx, input) }),
  }),
}));
