import type { Database } from '../db/client.ts';
import {
  type Assistant,
  type Message,
  type Plugin,
  Prisma,
  type Run,
  type Step,
  type ToolCall,
} from '../db/generated/client.ts';

interface Rows {
  Assistant: Assistant;
  Message: Message;
  Plugin: Plugin;
  Run: Run;
  Step: Step;
  ToolCall: ToolCall;
}

/** The tables with columns whose values can be long. */
export type ContentTable = keyof Rows;

/**
 * The columns whose values can be long, of which a row can hold megabytes, with their values for a row that has none. Lists
 * are read without them.
 */
export const noContents = {
  Assistant: { instructions: null, tools: [], responseFormat: null, providerOptions: null },
  Message: { text: '', parts: null, annotations: null },
  Plugin: { document: null, operations: [] },
  Run: { instructions: null, tools: [], toolChoice: null, responseFormat: null, providerOptions: null },
  Step: { reasoning: '' },
  ToolCall: { arguments: '', output: null },
} as const satisfies { [Table in ContentTable]: Partial<Rows[Table]> };

/** The names of the columns of a table whose values can be long. */
export type ContentColumn<Table extends ContentTable> = keyof (typeof noContents)[Table] & keyof Rows[Table];

/** The long values of a row. */
export type Contents<Table extends ContentTable> = Pick<Rows[Table], ContentColumn<Table>>;

/** The names of the columns of a table whose values can be long. */
export const contentColumns = (table: ContentTable): string[] => Object.keys(noContents[table]);

const textColumns = ['text', 'reasoning', 'arguments', 'output', 'instructions', 'document'];

const sum = (terms: string[]) => terms.map((term) => `coalesce(${term}, 0)`).join(' + ');
const storedBytes = (column: string) => `pg_column_size("${column}")`;
// The length of a text is known without reading it; JSON has to be printed.
const bytes = (column: string) => `octet_length("${column}"${textColumns.includes(column) ? '' : '::text'})`;

/**
 * Reads the long values of rows by their IDs, with one statement, up to `maxBytes` together. Returns them by the ID of the
 * row, or null if they are longer. A row that does not exist is left out.
 */
export async function readContents<Table extends ContentTable>(
  database: Database,
  workspaceId: string,
  table: Table,
  ids: readonly string[],
  maxBytes: number,
): Promise<Map<string, Contents<Table>> | null> {
  const columns = contentColumns(table);
  const list = Prisma.raw(columns.map((column) => `"${column}"`).join(', '));
  const from = Prisma.raw(`"${table}"`);
  const rows = await database.$queryRaw<Array<{ id: string } & Contents<Table>>>`
    SELECT "id", ${list} FROM (
      SELECT "id", ${list}, sum(${Prisma.raw(sum(columns.map(bytes)))}) OVER (ORDER BY "id") AS "bytes" FROM (
        SELECT "id", ${list}, sum(${Prisma.raw(sum(columns.map(storedBytes)))}) OVER (ORDER BY "id") AS "stored"
        FROM ${from} WHERE "workspaceId" = ${workspaceId} AND "id" = ANY(${ids}::text[])
      ) s WHERE "stored" <= ${maxBytes}
    ) c WHERE "bytes" <= ${maxBytes}`;
  const byId = new Map<string, Contents<Table>>(rows.map((row) => [row.id, row]));
  const missing = ids.filter((id) => !byId.has(id));
  if (missing.length === 0) return byId;
  const [left] = await database.$queryRaw<unknown[]>`
    SELECT 1 FROM ${from} WHERE "workspaceId" = ${workspaceId} AND "id" = ANY(${missing}::text[]) LIMIT 1`;
  return left ? null : byId;
}
