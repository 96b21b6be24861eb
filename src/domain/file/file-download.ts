import type { File } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import type { DomainContext, Services } from '../context.ts';
import { ForbiddenError, NotFoundError } from '../error.ts';
import { filesVisibleTo } from './file.ts';

/** A file that may be read by whoever asked. */
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

/** A file for an actor who sees it. Throws NotFoundError, and ForbiddenError without the scope THREADS_READ. */
export async function findDownload(ctx: DomainContext, id: string): Promise<DownloadableFile> {
  requireScope(ctx, 'THREADS_READ');
  const where = { AND: [{ id }, filesVisibleTo(ctx.actor)] };
  const file = isId('File', id) ? await ctx.db.file.findFirst({ where, select }) : null;
  if (!file) throw new NotFoundError(id);
  return downloadable(file);
}

/**
 * A file for whoever has an address that this server signed. Throws ForbiddenError when it did not, or when the address is
 * past its time; NotFoundError when the file has been deleted since.
 */
export async function findLinkedDownload(
  { database, fileLinks }: Services,
  id: string,
  expires: number,
  signature: string,
): Promise<DownloadableFile> {
  if (!fileLinks.isGood(id, expires, signature)) {
    throw new ForbiddenError(null, 'This address is not, or no longer, good: ask the graph for a new one.');
  }
  // The address says nothing of a workspace: who signed it has seen to that.
  const file = await database.file.findFirst({ where: { id }, select });
  if (!file) throw new NotFoundError(id);
  return downloadable(file);
}
