import type { DomainContext } from '../context.ts';
import { requireFiles } from '../file/file.ts';
import type { ThreadChange } from '../log/thread-change.ts';

/** The files of a message: those that came with it, and those that stand in its content. */
export interface FilesOfMessage {
  messageId: string;
  attached: readonly string[];
  shown: readonly string[];
}

/** Gives messages of the change their files. Throws NotFoundError for a file that the actor does not see. */
export async function addFiles(ctx: DomainContext, change: ThreadChange, files: FilesOfMessage[]): Promise<void> {
  const ids = files.flatMap(({ attached, shown }) => [...attached, ...shown]);
  if (ids.length === 0) return;
  await requireFiles(ctx, change.tx, ids);
  // The messages have to be there.
  await change.flush();
  const rows = files.flatMap(({ messageId, attached, shown }) =>
    [...new Set([...attached, ...shown])].map((fileId, index) => ({
      ...{ workspaceId: ctx.workspaceId, messageId, fileId, index },
      isAttachment: attached.includes(fileId),
    })),
  );
  await change.tx.messageFile.createMany({ data: rows, skipDuplicates: true });
}

/** Gives a message of the change other files in its content; what came with it stays. */
export async function replaceShownFiles(
  ctx: DomainContext,
  change: ThreadChange,
  messageId: string,
  shown: readonly string[],
): Promise<void> {
  await change.tx.messageFile.deleteMany({ where: { messageId, isAttachment: false } });
  await addFiles(ctx, change, [{ messageId, attached: [], shown }]);
}
