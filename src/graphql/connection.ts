import type { Prisma } from '../db/generated/client.ts';
import { InvalidInputError } from '../domain/error.ts';
import { operationLimits } from './limits.ts';
import { readTime } from './rfc3339.ts';

/** One column of a list's order. The last column of an order is unique, so that the order is total. */
export interface OrderColumn {
  name: string;
  type: 'time' | 'text' | 'number' | 'decimal';
  nullable?: boolean;
}

/** A list and its order. */
export interface ListOrder {
  /** The name of the list in its cursors: a cursor of another list is refused. */
  list: string;
  columns: OrderColumn[];
  direction: 'ASC' | 'DESC';
}

/** The arguments of every connection. */
export interface PageArgs {
  first?: number | null;
  after?: string | null;
  last?: number | null;
  before?: string | null;
}

type Value = Date | Prisma.Decimal | string | number | null;
type Row = Record<string, unknown>;
/** A condition of a Prisma `where`. */
export type Condition = Record<string, unknown>;

const separator = '\u001f';

/** The parts of a cursor before its values: the list, its order, and the end of the parent's id. */
const headOf = ({ list, columns, direction }: ListOrder) => `${list} ${columns[0]?.name} ${direction}`;
const tagOf = (parentId: string) => parentId.slice(-8);

function encodeCursor(order: ListOrder, parentId: string, row: Row): string {
  const { columns } = order;
  const values = columns.map(({ name }) => {
    const value = row[name] as Value;
    return value === null ? '' : `=${textOf(value)}`;
  });
  return Buffer.from([headOf(order), tagOf(parentId), ...values].join(separator)).toString('base64url');
}

function textOf(value: Exclude<Value, null>): string {
  if (value instanceof Date) return value.toISOString();
  // A Decimal would print a small amount with an exponent.
  return typeof value === 'object' ? value.toFixed() : String(value);
}

function decodeCursor(order: ListOrder, parentId: string | undefined, argument: string, cursor: string): Value[] {
  const { columns } = order;
  const [head, tag, ...texts] = Buffer.from(cursor, 'base64url').toString().split(separator);
  const values = columns.map((column, index) => readValue(column, texts[index] ?? ''));
  const isOurs = head === headOf(order) && (parentId === undefined || tag === tagOf(parentId));
  const isWhole = texts.length === columns.length && values.every((value) => value !== undefined);
  if (!isOurs || !isWhole) {
    throw InvalidInputError.at(
      argument,
      'This is not a cursor of this list in this order. Pass a cursor from its pages.',
    );
  }
  return values as Value[];
}

/** Reads a value that `encodeCursor` wrote; undefined if the text cannot come from it. */
function readValue({ type, nullable }: OrderColumn, text: string): Value | undefined {
  if (text === '') return nullable ? null : undefined;
  const value = text.slice(1);
  if (type === 'text') return value.includes('\0') || !value.isWellFormed() ? undefined : value;
  if (type === 'time') return readTime(value) ?? undefined;
  if (type === 'decimal') return /^\d{1,10}(\.\d{1,10})?$/.test(value) ? value : undefined;
  const number = Number(value);
  return /^-?\d+$/.test(value) && Math.abs(number) <= 2_147_483_647 ? number : undefined;
}

/** Selects the rows strictly after the values in the ascending or descending order. Null is larger than any value. */
function beyond(columns: OrderColumn[], values: Value[], isAscending: boolean): Condition {
  const [column, ...rest] = columns as [OrderColumn, ...OrderColumn[]];
  const value = values[0] as Value;
  const strictly = strictlyBeyond(column, value, isAscending);
  if (rest.length === 0) return strictly ?? never(column);
  const equal = { AND: [{ [column.name]: value }, beyond(rest, values.slice(1), isAscending)] };
  const either = { OR: strictly ? [strictly, equal] : [equal] };
  if (column.nullable) return either;
  // Redundant, but lets the database start at the right position of its index.
  return { AND: [{ [column.name]: { [isAscending ? 'gte' : 'lte']: value } }, either] };
}

function strictlyBeyond({ name, nullable }: OrderColumn, value: Value, isAscending: boolean): Condition | null {
  if (value === null) return isAscending ? null : { [name]: { not: null } };
  const further = { [name]: { [isAscending ? 'gt' : 'lt']: value } };
  return nullable && isAscending ? { OR: [further, { [name]: null }] } : further;
}

const never = ({ name }: OrderColumn): Condition => ({ [name]: { in: [] } });

/** A page of a list: the database query, and the connection that its rows make. */
export interface Page {
  query: { where: Condition; orderBy: Condition[]; take: number };
  /** `rows`: the result of the query, in its order, with up to one row more than the page. */
  connection<Node extends object>(rows: Node[], totalCount: () => Promise<number>): Connection<Node>;
}

/** A page of nodes, in the form that the connection types resolve. */
export interface Connection<Node> {
  edges: Array<{ cursor: string; node: Node }>;
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
  totalCount: () => Promise<number>;
}

function pageSize({ first, last }: PageArgs): number {
  if (first != null && last != null) throw InvalidInputError.at('last', 'Use first or last, not both.');
  const [name, size] = last != null ? ['last', last] : ['first', first ?? 20];
  if (size < 0 || size > operationLimits.pageSize) {
    throw InvalidInputError.at(
      name,
      `A page has 0 to ${operationLimits.pageSize} nodes. Read further pages with after or before.`,
    );
  }
  return size;
}

/**
 * Plans a page by keyset: a cursor holds the order values of a row. Pages are therefore stable while rows are added and
 * removed, and a page deep in a list costs no more than the first one. `parentId`: the id of the list's parent, empty for a
 * root list; if absent, the parent of a cursor is not checked. Throws InvalidInputError for invalid arguments.
 */
export function planPage(order: ListOrder, args: PageArgs, parentId?: string): Page {
  const size = pageSize(args);
  const isBackward = args.last != null;
  const isAscending = order.direction === 'ASC';
  const after = args.after == null ? null : decodeCursor(order, parentId, 'after', args.after);
  const before = args.before == null ? null : decodeCursor(order, parentId, 'before', args.before);
  const conditions = [
    ...(after ? [beyond(order.columns, after, isAscending)] : []),
    ...(before ? [beyond(order.columns, before, !isAscending)] : []),
  ];
  const sort = isAscending === isBackward ? 'desc' : 'asc';
  return {
    query: {
      where: conditions.length > 0 ? { AND: conditions } : {},
      orderBy: order.columns.map(({ name }) => ({ [name]: sort })),
      take: size + 1,
    },
    connection: (rows, totalCount) => {
      const hasMore = rows.length > size;
      const page = isBackward ? rows.slice(0, size).reverse() : rows.slice(0, size);
      const edges = page.map((node) => ({
        node,
        get cursor() {
          return encodeCursor(order, parentId ?? '', node as Row);
        },
      }));
      return {
        edges,
        totalCount,
        pageInfo: {
          hasNextPage: isBackward ? before !== null : hasMore,
          hasPreviousPage: isBackward ? hasMore : after !== null,
          get startCursor() {
            return edges[0]?.cursor ?? null;
          },
          get endCursor() {
            return edges.at(-1)?.cursor ?? null;
          },
        },
      };
    },
  };
}
