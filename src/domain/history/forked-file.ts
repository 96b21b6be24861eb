import type { Transaction } from '../../db/client.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import type { Annotation } from '../thread/annotation.ts';
import { filesIn, type MessagePart } from '../thread/content.ts';

/** Keeps the source of a fork from being deleted before the fork is made. Throws NotFoundError where it has been already. */
export async function lockSourceThread(tx: Transaction, workspaceId: string, sourceId: string): Promise<void> {
  const found = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM "Thread" WHERE "workspaceId" = ${workspaceId} AND "id" = ${sourceId} FOR KEY SHARE`;
  if (found.length === 0) throw new NotFoundError(sourceId);
}

/**
 * Gives a fork the files that its source has, and its messages, copies of the source's, what runs of the source wrote and they
 * show: pictures, and files that they name.
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
    const named = ((annotations ?? []) as Annotation[])
      .filter(({ type }) => type === 'path')
      .map(({ fileId }) => fileId);
    const ids = new Set([...filesIn((parts ?? null) as MessagePart[] | null), ...named]);
    return [...ids]
      .filter((id) => written.has(id))
      .map((fileId, index) => ({ ...{ workspaceId, messageId, fileId, index }, isAttachment: false }));
  });
  if (shown.length > 0) await tx.messageFile.createMany({ data: shown, skipDuplicates: true });
}

/**
 * Gives what the runs of a thread wrote, and a message of another one shows, to that other one: a fork keeps it when the thread
 * that it came from is deleted.
 */
export async function handOverFiles(tx: Transaction, workspaceId: string, threadId: string): Promise<void> {
  // Whoever is forking it is waited for, or waits.
  await tx.$queryRaw`SELECT 1 FROM "Thread" WHERE "workspaceId" = ${workspaceId} AND "id" = ${threadId} FOR UPDATE`;
  await tx.$executeRaw`
    UPDATE "File" f SET "threadId" = m."threadId"
    FROM "MessageFile" mf
    JOIN "Message" m ON m."workspaceId" = mf."workspaceId" AND m."id" = mf."messageId"
    WHERE f."workspaceId" = ${workspaceId} AND f."threadId" = ${threadId}
      AND mf."workspaceId" = ${workspaceId} AND mf."fileId" = f."id" AND m."threadId" <> ${threadId}`;
}
