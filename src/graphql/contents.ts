import {
  type ContentColumn,
  type Contents,
  type ContentTable,
  contentColumns,
  noContents,
  readContents,
} from '../domain/contents.ts';
import type { GraphContext } from './context.ts';

/** The latest read of long values of each operation. */
const latestReads = new WeakMap<GraphContext, Promise<void>>();

/**
 * Reads long values when the reads of the same operation before it have ended: together they would hold a multiple of
 * what an answer can contain.
 */
function inTurn<Result>(ctx: GraphContext, read: () => Promise<Result>): Promise<Result> {
  const result = (latestReads.get(ctx) ?? Promise.resolve()).then(read);
  const end = () => {};
  latestReads.set(ctx, result.then(end, end));
  return result;
}

const noLimit = 1_000_000_000;

async function load<Table extends ContentTable>(
  ctx: GraphContext,
  table: Table,
  ids: readonly string[],
): Promise<Array<Contents<Table>>> {
  const maxBytes = ctx.meter?.maxBytes ?? noLimit;
  const rows = await inTurn(ctx, () => readContents(ctx.database, ctx.workspaceId, table, ids, maxBytes));
  // Throws: the values alone are larger than an answer.
  if (!rows) ctx.meter?.count(maxBytes + 1);
  return ids.map((id) => rows?.get(id) ?? (noContents[table] as unknown as Contents<Table>));
}

type Loader<Table extends ContentTable> = (
  ctx: GraphContext,
  ids: readonly string[],
) => Promise<Array<Contents<Table>>>;
const loaderOf =
  <Table extends ContentTable>(table: Table): Loader<Table> =>
  (ctx, ids) =>
    load(ctx, table, ids);
const loaders: { [Table in ContentTable]: Loader<Table> } = {
  Assistant: loaderOf('Assistant'),
  Message: loaderOf('Message'),
  Plugin: loaderOf('Plugin'),
  Run: loaderOf('Run'),
  Step: loaderOf('Step'),
  ToolCall: loaderOf('ToolCall'),
};

/** The long columns that a field shows, for `columns-plugin.ts`. */
export type LongValues = { readonly longValues?: readonly string[] };

/** The extensions of a field that shows long values of a table. */
export const showing = <Table extends ContentTable>(_table: Table, ...longValues: Array<ContentColumn<Table>>) => ({
  extensions: { longValues } as LongValues,
});

/**
 * A long value of a row: the one that was read with the row, or else read now, with one statement for all rows of the same
 * table that the operation shows. Throws the error for an answer that is too large.
 */
export function contentOf<Table extends ContentTable, Column extends ContentColumn<Table>>(
  ctx: GraphContext,
  table: Table,
  row: { id: string } & { [Name in Column]?: unknown },
  column: Column,
): Contents<Table>[Column] | Promise<Contents<Table>[Column]> {
  const known = row[column] as Contents<Table>[Column] | undefined;
  if (known !== undefined) return known;
  return ctx.load(loaders[table] as Loader<Table>, row.id).then((contents) => contents[column]);
}

/** The selection of all columns of a table but those with long values. */
export function plainColumns<Table extends ContentTable, Column extends string>(
  table: Table,
  columns: { readonly [Name in Column]: Name },
): { [Name in Exclude<Column, ContentColumn<Table>>]: true } {
  const contents = new Set(contentColumns(table));
  const plain = Object.keys(columns).filter((column) => !contents.has(column));
  return Object.fromEntries(plain.map((column) => [column, true])) as never;
}
