import type { File, Message, Run } from '../../db/generated/client.ts';
import type { DomainContext } from '../context.ts';
import { runLimits } from '../limits.ts';
import { conversationOrder } from './message.ts';

/** More than the context of any model, and small enough for the memory of the server. */
const maxBytes = runLimits.conversationBytes;

/** A message as a run reads it. */
export type PromptMessage = Pick<Message, 'id' | 'role' | 'text' | 'parts' | 'position' | 'runId'> & {
  run: Pick<Run, 'inputThrough'> | null;
  /** The files attached to the message or shown in its content. */
  files: PromptFile[];
};

/** A file of a message as a run reads it. */
export type PromptFile = Pick<File, 'id' | 'name' | 'mimeType' | 'sizeBytes' | 'blobKey'> & { isAttachment: boolean };

/**
 * The conversation that a run reads, in order: the messages up to the run's input, the answers of earlier runs, and the
 * run's own messages. `omitted` counts the oldest messages that exceeded the size limit; system messages have a limit
 * of their own.
 */
export async function readConversation(
  ctx: DomainContext,
  { threadId, number, inputThrough }: Pick<Run, 'threadId' | 'number' | 'inputThrough'>,
): Promise<{ messages: PromptMessage[]; omitted: number }> {
  const rows = await ctx.db.$queryRaw<
    Array<
      Omit<PromptMessage, 'run' | 'files'> & {
        runInputThrough: number | null;
        isRead: boolean;
        files: PromptFile[] | null;
      }
    >
  >`
    WITH seen AS (
      SELECT m."id", m."role", m."text", m."parts", m."position", m."runId", r."inputThrough" AS "runInputThrough",
        sum(octet_length(m."text") + coalesce(octet_length(m."parts"::text), 0))
          OVER (PARTITION BY m."role" = 'SYSTEM' ORDER BY m."position" DESC) AS "bytes",
        row_number() OVER (ORDER BY m."position" DESC) AS "age"
      FROM "Message" m LEFT JOIN "Run" r ON r."workspaceId" = m."workspaceId" AND r."id" = m."runId"
      WHERE m."workspaceId" = ${ctx.workspaceId} AND m."threadId" = ${threadId}
        AND (m."runId" IS NULL AND m."position" <= ${inputThrough} OR r."number" <= ${number})
    )
    SELECT "id", (
        SELECT jsonb_agg(jsonb_build_object('id', f."id", 'name', f."name", 'mimeType', f."mimeType", 'sizeBytes', f."sizeBytes",
          'blobKey', f."blobKey", 'isAttachment', mf."isAttachment") ORDER BY mf."index")
        FROM "MessageFile" mf JOIN "File" f ON f."workspaceId" = mf."workspaceId" AND f."id" = mf."fileId"
        WHERE mf."workspaceId" = ${ctx.workspaceId} AND mf."messageId" = seen."id"
      ) AS "files", "role", "position", "runId", "runInputThrough", "bytes" <= ${maxBytes} OR "age" = 1 AS "isRead",
      CASE WHEN "bytes" <= ${maxBytes} OR "age" = 1 THEN "text" ELSE '' END AS "text",
      CASE WHEN "bytes" <= ${maxBytes} OR "age" = 1 THEN "parts" END AS "parts"
    FROM seen ORDER BY "position"`;
  const messages = rows
    .filter(({ isRead }) => isRead)
    .map(({ runInputThrough, isRead: _isRead, files, ...message }) => ({
      ...message,
      files: files ?? [],
      run: runInputThrough === null ? null : { inputThrough: runInputThrough },
    }));
  return {
    messages: messages.sort((one, other) => conversationOrder(one) - conversationOrder(other)),
    omitted: rows.length - messages.length,
  };
}
