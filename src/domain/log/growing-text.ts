import type { TextChannel } from '../../bus/bus.ts';
import type { Database, Transaction } from '../../db/client.ts';
import type { Event } from '../../db/generated/client.ts';

/** A delta of a growing text that a run's executor hands over, with the fence under which it may write. */
export interface TextDelta {
  workspaceId: string;
  threadId: string;
  runId: string;
  fence: number;
  ownerId: string;
  channel: TextChannel;
  /** In UTF-16 code units from the start of the text. */
  offset: number;
  text: string;
}

/** Names one growing text. */
export interface TextKey {
  ownerId: string;
  channel: TextChannel;
}

/** The key as a text. */
export const textId = ({ ownerId, channel }: TextKey) => `${ownerId} ${channel}`;

/**
 * Stores deltas of any number of runs, of any workspaces, in one statement. Pieces of a run that is no longer executed
 * under their fence are left out: a worker that was only slow cannot write into its successor's text.
 * Returns the ids of the runs whose deltas were stored.
 */
export async function storeDeltas(database: Database, deltas: TextDelta[]): Promise<Set<string>> {
  const column = <Name extends keyof TextDelta>(name: Name) => deltas.map((delta) => delta[name]);
  const live = await database.$queryRaw<Array<{ id: string }>>`
    WITH delta AS (
      SELECT * FROM unnest(
        ${column('workspaceId')}::text[], ${column('runId')}::text[], ${column('fence')}::int[], ${column('ownerId')}::text[],
        ${column('channel')}::text[], ${column('offset')}::int[], ${column('text')}::text[]
      ) AS p ("workspaceId", "runId", "fence", "ownerId", "channel", "offset", "text")
    ), live AS (
      SELECT "workspaceId", "id" FROM "Run" r
      WHERE ("workspaceId", "id", "fence") IN (SELECT "workspaceId", "runId", "fence" FROM delta)
        AND "status" IN ('IN_PROGRESS', 'CANCELLING')
      FOR SHARE
    ), stored AS (
      INSERT INTO "TextDelta" ("workspaceId", "runId", "ownerId", "channel", "offset", "text")
      SELECT p."workspaceId", p."runId", p."ownerId", p."channel"::"TextChannel", p."offset", p."text"
      FROM delta p JOIN live l ON l."workspaceId" = p."workspaceId" AND l."id" = p."runId"
      ON CONFLICT DO NOTHING
    )
    SELECT "id" FROM live`;
  return new Set(live.map(({ id }) => id));
}

/** The texts that grow from an event on. */
export function keysOpenedBy({ type, messageId, stepId, toolCallId }: Event): TextKey[] {
  const open = (ownerId: string | null, channel: TextChannel): TextKey => ({ ownerId: ownerId ?? '', channel });
  if (type === 'MESSAGE_STARTED') return [open(messageId, 'TEXT')];
  if (type === 'REASONING_STARTED') return [open(stepId, 'REASONING')];
  return type === 'TOOL_CALL_STARTED' ? [open(toolCallId, 'ARGUMENTS'), open(toolCallId, 'OUTPUT')] : [];
}

/** A text as the database can store it: without NUL and half characters. */
export const storable = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed();

/** Joins deltas in the order of their offsets, as far as they follow each other. */
function joinDeltas(deltas: Array<{ offset: number; text: string }>): string {
  let joined = '';
  for (const { offset, text } of deltas) {
    if (offset === joined.length) joined += text;
  }
  return joined;
}

/** What has been stored of a run's growing texts, by `textId`. */
export async function readDeltasOfRun(tx: Transaction, runId: string): Promise<Map<string, string>> {
  const deltas = await tx.textDelta.findMany({
    where: { runId },
    orderBy: [{ ownerId: 'asc' }, { channel: 'asc' }, { offset: 'asc' }],
  });
  const byText = Map.groupBy(deltas, textId);
  return new Map([...byText].map(([id, list]) => [id, joinDeltas(list)]));
}

/**
 * The texts as they are now, by `textId`: from the deltas while they grow, from the row they belong to once they have
 * ended. The deltas are read first: a text that ends in between is then found whole in its row.
 */
export async function readTexts(
  db: Database,
  workspaceId: string,
  keys: readonly TextKey[],
): Promise<Map<string, string>> {
  const owners = (channels: TextChannel[]) => [
    ...new Set(keys.filter(({ channel }) => channels.includes(channel)).map(({ ownerId }) => ownerId)),
  ];
  const where = (ids: string[]) => ({ workspaceId, id: { in: ids } });
  const deltas = await db.textDelta.findMany({
    where: { workspaceId, ownerId: { in: keys.map(({ ownerId }) => ownerId) } },
    select: { ownerId: true, channel: true, offset: true, text: true },
    orderBy: [{ ownerId: 'asc' }, { channel: 'asc' }, { offset: 'asc' }],
  });
  const texts = new Map([...Map.groupBy(deltas, textId)].map(([id, list]) => [id, joinDeltas(list)]));
  const longer = (key: TextKey, text: string | null) => {
    if ((text ?? '').length >= (texts.get(textId(key)) ?? '').length) texts.set(textId(key), text ?? '');
  };
  const [messages, steps, calls] = [owners(['TEXT']), owners(['REASONING']), owners(['ARGUMENTS', 'OUTPUT'])];
  if (messages.length > 0) {
    const rows = await db.message.findMany({ where: where(messages), select: { id: true, text: true } });
    for (const { id, text } of rows) longer({ ownerId: id, channel: 'TEXT' }, text);
  }
  if (steps.length > 0) {
    const rows = await db.step.findMany({ where: where(steps), select: { id: true, reasoning: true } });
    for (const { id, reasoning } of rows) longer({ ownerId: id, channel: 'REASONING' }, reasoning);
  }
  if (calls.length > 0) {
    const rows = await db.toolCall.findMany({
      where: where(calls),
      select: { id: true, arguments: true, output: true },
    });
    for (const row of rows) {
      longer({ ownerId: row.id, channel: 'ARGUMENTS' }, row.arguments);
      longer({ ownerId: row.id, channel: 'OUTPUT' }, row.output);
    }
  }
  return texts;
}
