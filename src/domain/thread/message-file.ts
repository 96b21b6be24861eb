import type { DomainContext } from '../context.ts';
import { requireFiles } from '../file/file.ts';
import type { ThreadChange } from '../log/thread-change.ts';

/** The IDs of a message's files: those attached to it, and those shown in its content. */
export interface FilesOfMessage {
  messageId: string;
  attached: readonly string[];
  shown: readonly string[];
}

/** Links files to messages of the change. Throws NotFoundError for a file that the actor cannot see. */
export async function addFiles(ctx: DomainContext, change: ThreadChange, files: FilesOfMessage[]): Promise<void> {
  const ids = files.flatMap(({ attached, shown }) => [...attached, ...shown]);
  if (ids.length === 0) return;
  await requireFiles(ctx, change.tx, ids);
  // The rows refer to the messages, which may be pending.
  await change.flush();
  const rows = files.flatMap(({ messageId, attached, shown }) =>
    [...new Set([...attached, ...shown])].map((fileId, index) => ({
      ...{ workspaceId: ctx.workspaceId, messageId, fileId, index },
      isAttachment: attached.includes(fileId),
    })),
  );
  await change.tx.messageFile.createMany({ data: rows, skipDuplicates: true });
}

/** Replaces the files shown in a message's content; its attachments stay. */
export async function replaceShownFiles(
  ctx: DomainContext,
  change: ThreadChange,
  messageId: string,
  shown: readonly string[],
): Promise<void> {
  await change.tx.messageFile.deleteMany({ where: { messageId, isAttachment: false } });
  await addFiles(ctx, change, [{ messageId, attached: [], shown }]);
}
