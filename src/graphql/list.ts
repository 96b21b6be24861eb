import { type PathSegment, queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import type { DomainContext } from '../domain/context.ts';
import { type Condition, type Connection, type ListOrder, type PageArgs, planPage } from './connection.ts';
import type { GraphContext } from './context.ts';
import { planList } from './planned-rows.ts';
import type { RequireArgs } from './selected-permissions.ts';

/** The paths to the nodes in the selection of a connection. */
const nodePaths: PathSegment[][] = [['nodes'], ['edges', 'node']];

/** The models that have lists. */
export type Listed = 'file' | 'plugin' | 'workspace' | 'apiKey' | 'assistant' | 'thread' | 'message' | 'run' | 'step';

/** The methods of a Prisma model that lists use. The models differ only in their rows. */
interface Delegate {
  findMany(args: object): Promise<object[]>;
  count(args: { where: Condition }): Promise<number>;
  groupBy(args: object): Promise<Array<Record<string, unknown> & { _count: number }>>;
}

/**
 * Resolves a page of a root list of the rows that `where` selects. Reads only what the client selected. Throws
 * InvalidInputError for invalid page arguments.
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
  const select = planList(page.query.take, () =>
    queryFromInfo({ context: ctx, info, paths: nodePaths, typeName: list.typeName }),
  );
  const where = both(list.where, page.query.where);
  const wants = selectsRows(info);
  const rows = wants ? await delegate.findMany({ ...select, ...page.query, where }) : [];
  return page.connection(rows as Node[], () => delegate.count({ where: list.where }));
}

/** Combines two conditions. Empty ones are left out to spare Prisma work. */
function both(one: Condition, other: Condition): Condition {
  const isEmpty = (condition: Condition) => Object.values(condition).every((value) => value === undefined);
  if (isEmpty(other)) return isEmpty(one) ? {} : one;
  return isEmpty(one) ? other : { AND: [one, other] };
}

/** Whether the client selected anything beside the total. */
function selectsRows(info: GraphQLResolveInfo): boolean {
  const selections = info.fieldNodes.flatMap(({ selectionSet }) => selectionSet?.selections ?? []);
  return selections.some(
    (selection) => selection.kind !== 'Field' || !['totalCount', '__typename'].includes(selection.name.value),
  );
}

/** The arguments of a list. */
export interface ListArgs extends PageArgs {
  filter?: unknown;
  orderBy?: { field: string; direction?: ListOrder['direction'] | null } | null;
}

/** A list on the rows of a parent: the relation, the model of the list, and its column with the parent's id. */
export interface ChildList {
  relation: string;
  model: Listed;
  typeName: string;
  parentColumn: string;
  /** The client that counts the rows. Default: the client bound to the workspace of the request. */
  client?: (ctx: DomainContext) => unknown;
  order: (args: ListArgs) => ListOrder;
  where: (args: ListArgs, ctx: GraphContext) => Condition;
}

interface CountKey {
  /** Does not distinguish keys, because it depends on the model. */
  client: ChildList['client'];
  model: Listed;
  parentColumn: string;
  parentId: string;
  where: Condition;
}

const countGroup = ({ model, parentColumn, where }: CountKey) => JSON.stringify([model, parentColumn, where]);

/** Counts the rows of many parents, with one statement per model and condition. */
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

/** The options of a connection field for a list on a parent: the list is read together with its parents, in one statement. */
export function childList(list: ChildList) {
  const requireArgs: RequireArgs = (args, ctx) => {
    planPage(list.order(args), args);
    list.where(args, ctx);
  };
  return {
    extensions: { requireArgs },
    select: (args: ListArgs, ctx: GraphContext, nested: (query: never, path: never, type: string) => unknown) => {
      const page = planPage(list.order(args), args);
      const query = { ...page.query, where: both(list.where(args, ctx), page.query.where) };
      const paths = nodePaths.map((path) => path.map((name) => ({ name })));
      const nodes = { getType: () => list.typeName, paths } as never;
      const rows = planList(page.query.take, () => nested(query as never, nodes, list.typeName)) as { select?: object };
      // No field of the nodes is selected: the columns of the order are enough to build the page.
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
