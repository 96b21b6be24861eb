import type { Transaction } from '../../db/client.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import type { Annotation } from '../thread/annotation.ts';
import { filesIn, type MessagePart } from '../thread/content.ts';

/**
 * Keeps the source of a fork from being deleted until the fork is committed. Throws NotFoundError when it is deleted
 * already.
 */
export async function lockSourceThread(tx: Transaction, workspaceId: string, sourceId: string): Promise<void> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM "Thread" WHERE "workspaceId" = ${workspaceId} AND "id" = ${sourceId} AND "deletedAt" IS NULL FOR KEY SHARE`;
  if (rows.length === 0) throw new NotFoundError(sourceId);
}

/**
 * Links the files of the source thread to its fork, and to the copied messages the files that runs of the source wrote
 * and the messages refer to: images in the content, and files named in annotations.
 */
export async function shareFiles(
  { workspaceId }: DomainContext,
  tx: Transaction,
  [sourceId, forkId]: [string, string],
  copies: ReadonlyArray<{ id: string; parts?: unknown; annotations?: unknown }>,
): Promise<void> {
  const attached = await tx.threadFile.findMany({ where: { threadId: sourceId }, select: { fileId: true } });
  const files = attached.map(({ fileId }) => ({ workspaceId, threadId: forkId, fileId }));
  if (files.length > 0) await tx.threadFile.createMany({ data: files });

  const written = new Set(
    (await tx.file.findMany({ where: { threadId: sourceId }, select: { id: true } })).map(({ id }) => id),
  );
  const shown = copies.flatMap(({ id: messageId, parts, annotations }) => {
    const annotated = ((annotations ?? []) as Annotation[])
      .filter(({ type }) => type === 'path')
      .map(({ fileId }) => fileId);
    const ids = new Set([...filesIn((parts ?? null) as MessagePart[] | null), ...annotated]);
    return [...ids]
      .filter((id) => written.has(id))
      .map((fileId, index) => ({ ...{ workspaceId, messageId, fileId, index }, isAttachment: false }));
  });
  if (shown.length > 0) await tx.messageFile.createMany({ data: shown, skipDuplicates: true });
}

/**
 * Moves files that runs of a thread wrote, and messages of a fork refer to, to that fork, and deletes the others. For the
 * deletion of the thread, under the lock of its row: a concurrent fork (`lockSourceThread`) has ended, or waits.
 */
export async function transferFiles(tx: Transaction, workspaceId: string, threadId: string): Promise<void> {
  await tx.$executeRaw`
    UPDATE "File" f SET "threadId" = m."threadId"
    FROM "MessageFile" mf
    JOIN "Message" m ON m."workspaceId" = mf."workspaceId" AND m."id" = mf."messageId"
    WHERE f."workspaceId" = ${workspaceId} AND f."threadId" = ${threadId}
      AND mf."workspaceId" = ${workspaceId} AND mf."fileId" = f."id" AND m."threadId" <> ${threadId}`;
  await tx.file.deleteMany({ where: { threadId } });
}

/** Removes the links of forks to the messages of a thread that is deleted. */
export async function releaseForks(tx: Transaction, workspaceId: string, threadId: string): Promise<void> {
  await tx.$executeRaw`
    UPDATE "Thread" t SET "forkedFromId" = NULL FROM "Message" m
    WHERE t."workspaceId" = ${workspaceId} AND t."forkedFromId" IS NOT NULL
      AND m."workspaceId" = ${workspaceId} AND m."id" = t."forkedFromId" AND m."threadId" = ${threadId}`;
}
