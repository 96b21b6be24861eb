import { type PathSegment, queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import type { DomainContext } from '../domain/context.ts';
import { type Condition, type Connection, type ListOrder, type PageArgs, planPage } from './connection.ts';
import type { GraphContext } from './context.ts';

/** Where the nodes of a connection stand in its selection. */
const nodePaths: PathSegment[][] = [['nodes'], ['edges', 'node']];

/** The order of a list by the time that its rows were made, the newest first. */
export const newestFirst = (list: string): ListOrder => ({
  list,
  columns: [
    { name: 'createdAt', type: 'time' as const },
    { name: 'id', type: 'text' as const },
  ],
  direction: 'DESC' as const,
});

/** The models that have lists. */
type Listed = 'file' | 'plugin' | 'workspace' | 'apiKey' | 'assistant' | 'thread' | 'message' | 'run' | 'step';

/** What a model offers for lists; the bound client's delegates differ only in their rows. */
interface Delegate {
  findMany(args: object): Promise<object[]>;
  count(args: { where: Condition }): Promise<number>;
  groupBy(args: object): Promise<Array<Record<string, unknown> & { _count: number }>>;
}

/**
 * A page of a root list: `where` says what of the model is in it. The database is read only for what is selected.
 */
export async function rootList<Node extends object>(
  client: { [model in Listed]?: unknown },
  ctx: GraphContext,
  info: GraphQLResolveInfo,
  list: { model: Listed; typeName: string; order: ListOrder; where: Condition },
  args: PageArgs,
): Promise<Connection<Node>> {
  const page = planPage(list.order, args, '');
  const delegate = client[list.model] as Delegate;
  const select = queryFromInfo({ context: ctx, info, paths: nodePaths, typeName: list.typeName });
  const where = both(list.where, page.query.where);
  const wants = selectsRows(info);
  const rows = wants ? await delegate.findMany({ ...select, ...page.query, where }) : [];
  return page.connection(rows as Node[], () => delegate.count({ where: list.where }));
}

/** Both conditions; an empty one is left out, for Prisma to have less to look through. */
function both(one: Condition, other: Condition): Condition {
  const isEmpty = (condition: Condition) => Object.values(condition).every((value) => value === undefined);
  if (isEmpty(other)) return isEmpty(one) ? {} : one;
  return isEmpty(one) ? other : { AND: [one, other] };
}

/** Whether more than the total is asked for. */
function selectsRows(info: GraphQLResolveInfo): boolean {
  const selections = info.fieldNodes.flatMap(({ selectionSet }) => selectionSet?.selections ?? []);
  return selections.some(
    (selection) => selection.kind !== 'Field' || !['totalCount', '__typename'].includes(selection.name.value),
  );
}

/** The arguments that lists have beside those of their pages. */
export interface ListArgs extends PageArgs {
  filter?: unknown;
  order?: 'ASC' | 'DESC' | null;
  orderBy?: { field: string; direction: 'ASC' | 'DESC' } | null;
}

/** A list that hangs on a row: the relation, the model in it, and the column that leads back to the parent. */
export interface ChildList {
  relation: string;
  model: Listed;
  typeName: string;
  parentColumn: string;
  /** Where its rows are counted; the bound client if not given. */
  client?: (ctx: DomainContext) => unknown;
  order: (args: ListArgs) => ListOrder;
  where: (args: ListArgs, ctx: GraphContext) => Condition;
}

interface CountKey {
  /** Not part of what tells keys apart: it goes with the model. */
  client: ChildList['client'];
  model: Listed;
  parentColumn: string;
  parentId: string;
  where: Condition;
}

const countGroup = ({ model, parentColumn, where }: CountKey) => JSON.stringify([model, parentColumn, where]);

/** Counts for many parents with one statement for each model and condition. */
async function countChildren(ctx: DomainContext, keys: readonly CountKey[]): Promise<number[]> {
  const counts = new Map<string, number>();
  for (const [name, group] of Map.groupBy(keys, countGroup)) {
    const { client = () => ctx.db, model, parentColumn, where } = group[0] as CountKey;
    const delegate = (client(ctx) as { [listed in Listed]: unknown })[model] as Delegate;
    const parents = { [parentColumn]: { in: group.map(({ parentId }) => parentId) } };
    const rows = await delegate.groupBy({ by: [parentColumn], where: { AND: [where, parents] }, _count: true });
    for (const row of rows) counts.set(`${name}${row[parentColumn]}`, row._count);
  }
  return keys.map((key) => counts.get(`${countGroup(key)}${key.parentId}`) ?? 0);
}

/** The options of a connection field for a list that hangs on a row: it is read with its parents, in one statement. */
export function childList(list: ChildList) {
  return {
    select: (args: ListArgs, ctx: GraphContext, nested: (query: never, path: never, type: string) => unknown) => {
      const page = planPage(list.order(args), args);
      const query = { ...page.query, where: both(list.where(args, ctx), page.query.where) };
      const paths = nodePaths.map((path) => path.map((name) => ({ name })));
      const rows = nested(query as never, { getType: () => list.typeName, paths } as never, list.typeName) as {
        select?: object;
      };
      // Nothing of the nodes is selected: the order alone tells what pages there are.
      const isBare = rows.select && Object.keys(rows.select).length === 0;
      const columns = Object.fromEntries(list.order(args).columns.map(({ name }) => [name, true]));
      return { [list.relation]: isBare ? { ...rows, select: columns } : rows } as never;
    },
    resolve: (parent: object, args: ListArgs, ctx: GraphContext) => {
      const row = parent as Record<string, unknown> & { id: string };
      const page = planPage(list.order(args), args, row.id);
      const { client, model, parentColumn } = list;
      const key: CountKey = { client, model, parentColumn, parentId: row.id, where: list.where(args, ctx) };
      return page.connection(row[list.relation] as object[], () => ctx.load(countChildren, key)) as never;
    },
  };
}
