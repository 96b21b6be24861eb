import type { TextChannel } from '../../bus/bus.ts';
import type { Database, Transaction } from '../../db/client.ts';
import { Prisma } from '../../db/generated/client.ts';
import { textLimits } from '../limits.ts';
import { executingSql } from '../run-status.ts';
import { type TextKey, textKinds } from './event-kinds.ts';

/** A delta of a growing text, with the fence under which the executor of its run writes it. */
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

/** The key of a growing text as a string. */
export const textId = ({ ownerId, channel }: TextKey) => `${ownerId} ${channel}`;

/**
 * Stores deltas of any runs, of any workspaces, with one statement. Deltas with an outdated fence are left out: a slow
 * worker cannot write into the text of its successor. Returns the IDs of the runs whose deltas were stored.
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
        AND "status" IN ${executingSql}
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

/** Replaces what the database cannot store, U+0000 and unpaired surrogates, by U+FFFD. */
export const storable = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed();

/** Joins deltas that are ordered by offset; one that does not continue the text is left out. */
function joinDeltas(deltas: Array<{ offset: number; text: string }>): string {
  let joined = '';
  for (const { offset, text } of deltas) {
    if (offset === joined.length) joined += text;
  }
  return joined;
}

/**
 * The growing texts of a run from its stored deltas, by `textId`. Texts beyond `textLimits` are cut off: they are from a
 * time without a limit, and reading them whole could end the process.
 */
export function readDeltasOfRun(tx: Transaction, workspaceId: string, runId: string): Promise<Map<string, string>> {
  return readDeltas(tx, Prisma.sql`d."workspaceId" = ${workspaceId} AND d."runId" = ${runId}`);
}

/** The growing texts of the deltas that a condition on `d` selects, by `textId`, up to `textLimits`. */
async function readDeltas(db: Database | Transaction, condition: Prisma.Sql): Promise<Map<string, string>> {
  const deltas = await (db as Database).$queryRaw<Array<TextKey & { offset: number; text: string }>>`
    SELECT s."ownerId", s."channel"::text AS "channel", s."offset", left(s."text", ${textLimits.text} - s."offset") AS "text"
    FROM (
      SELECT d.*, sum(octet_length(d."text")) OVER (ORDER BY d."ownerId", d."channel", d."offset") - octet_length(d."text") AS "before"
      FROM "TextDelta" d WHERE ${condition} AND d."offset" < ${textLimits.text}
    ) s
    WHERE s."before" < ${textLimits.textsTogether}
    ORDER BY s."ownerId", s."channel", s."offset"`;
  return new Map([...Map.groupBy(deltas, textId)].map(([id, list]) => [id, joinDeltas(list)]));
}

/**
 * The current texts, by `textId`: from their deltas while they grow, from their rows when they have ended. The deltas
 * are read first, so that a text that ends between the reads is found whole in its row. Growing texts beyond `textLimits`
 * are cut off.
 */
export async function readTexts(
  db: Database,
  workspaceId: string,
  keys: readonly TextKey[],
): Promise<Map<string, string>> {
  const owners = [...new Set(keys.map(({ ownerId }) => ownerId))];
  const texts = await readDeltas(
    db,
    Prisma.sql`d."workspaceId" = ${workspaceId} AND d."ownerId" = ANY(${owners}::text[])`,
  );
  const tables = Map.groupBy(keys, ({ channel }) => textKinds[channel].table);
  for (const [table, ofTable] of tables) {
    const rows = await readRows(db, table, workspaceId, [...new Set(ofTable.map(({ ownerId }) => ownerId))]);
    for (const { channel, ownerId } of ofTable) {
      const row = rows.get(ownerId);
      if (!row) continue;
      const id = textId({ ownerId, channel });
      const ended = row[textKinds[channel].column] ?? '';
      if (ended.length >= (texts.get(id) ?? '').length) texts.set(id, ended);
    }
  }
  return texts;
}

type TextColumns = Partial<Record<(typeof textKinds)[TextChannel]['column'], string | null>>;

/** The text columns of rows, by the ID of the row. */
async function readRows(
  db: Database,
  table: (typeof textKinds)[TextChannel]['table'],
  workspaceId: string,
  ids: string[],
): Promise<Map<string, TextColumns>> {
  const columns = Object.values(textKinds).flatMap((kind) => (kind.table === table ? [[kind.column, true]] : []));
  const query = { where: { workspaceId, id: { in: ids } }, select: { id: true, ...Object.fromEntries(columns) } };
  const reader = db[table] as unknown as { findMany(args: typeof query): Promise<Array<TextColumns & { id: string }>> };
  return new Map((await reader.findMany(query)).map((row) => [row.id, row]));
}
