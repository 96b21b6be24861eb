import type { File } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import type { DomainContext, Services } from '../context.ts';
import { ForbiddenError, NotFoundError } from '../error.ts';
import { filesVisibleTo } from './file.ts';

/** A file that the requester may download. */
export type DownloadableFile = Pick<File, 'workspaceId' | 'blobKey' | 'name' | 'mimeType' | 'sizeBytes'> & {
  sha256: string;
};

const select = {
  workspaceId: true,
  blobKey: true,
  name: true,
  mimeType: true,
  sizeBytes: true,
  blob: { select: { sha256: true } },
} as const;
type Selected = Omit<DownloadableFile, 'sha256'> & { blob: { sha256: string } };

const downloadable = ({ blob, ...file }: Selected): DownloadableFile => ({ ...file, sha256: blob.sha256 });

/** A file that the actor sees. Throws NotFoundError, and ForbiddenError without the scope THREADS_READ. */
export async function findDownload(ctx: DomainContext, id: string): Promise<DownloadableFile> {
  requireScope(ctx, 'THREADS_READ');
  const where = { AND: [{ id }, filesVisibleTo(ctx.actor)] };
  const file = isId('File', id) ? await ctx.db.file.findFirst({ where, select }) : null;
  if (!file) throw new NotFoundError(id);
  return downloadable(file);
}

/**
 * The file of a signed link. `expires`: in seconds since 1970. Throws ForbiddenError when the signature is wrong or has
 * expired, and NotFoundError when the file or its workspace has been deleted.
 */
export async function findLinkedDownload(
  { database, fileLinks }: Services,
  id: string,
  expires: number,
  signature: string,
): Promise<DownloadableFile> {
  if (!fileLinks.isValid(id, expires, signature)) {
    throw new ForbiddenError(null, 'The link is invalid or has expired. Query `File.url` for a new one.');
  }
  // The link does not name the workspace: access was checked when it was signed.
  const file = await database.file.findFirst({ where: { id }, select });
  if (!file) throw new NotFoundError(id);
  // The rows of a deleted workspace are deleted later.
  const where = { id: file.workspaceId, deletedAt: null };
  if ((await database.workspace.count({ where })) === 0) throw new NotFoundError(id);
  return downloadable(file);
}
