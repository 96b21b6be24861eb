import type { FieldRef, ObjectRef } from '@pothos/core';
import type { GraphQLResolveInfo } from 'graphql';
import type { DomainContext } from '../domain/context.ts';
import { builder } from './builder.ts';
import type { Condition } from './connection.ts';
import type { GraphContext } from './context.ts';
import { childList, type ListArgs, type Listed, rootList } from './list.ts';
import type { Ordering } from './list-order.ts';

type SchemaTypes = (typeof builder)['$inferSchemaTypes'];
/** The builder of a field's parent. It accepts any options, because the options of a list do not depend on the parent. */
interface FieldBuilder {
  connection(options: never, connection: never, edge: never): FieldRef<SchemaTypes, unknown>;
}

/** The properties that all lists of a type share. `Found` is a promise if the condition depends on the database. */
interface ListedType<Found> {
  model: Listed;
  /** The singular for descriptions; the plural adds an s. */
  noun: string;
  order: Ordering;
  /** The input of the argument `filter`, and a description of the unfiltered list, such as "all threads". */
  filter?: { type: ReturnType<typeof builder.inputType>; default: string };
  /** Selects the rows that the actor may see and that match the filter. Throws ForbiddenError without the scope. */
  where: (filter: unknown, ctx: GraphContext) => Found;
  /** The client that reads and counts the rows. Default: the client bound to the workspace of the request. */
  client?: (ctx: DomainContext) => object;
}

/** A list on the rows of a parent type. */
interface Child {
  description: string;
  /** The relation of the parent that leads to the list. */
  relation: string;
  /** The column of the list that holds the parent's id. */
  parentColumn: string;
  /** Default: the order of the type. */
  order?: Ordering;
  /** Whether the field has the argument `filter`. Default: if the type has a filter. */
  hasFilter?: boolean;
}

type NodeRef = ObjectRef<SchemaTypes, object> & { name: string };

/** Defines the edge and the connection of a type. Returns the maker of its connection fields. */
function connectionOf(type: NodeRef, noun: string) {
  const edge = builder.edgeObject({
    type,
    name: `${type.name}Edge`,
    description: `One ${noun} of a list, with its cursor.`,
  });
  const connection = builder.connectionObject(
    { type, name: `${type.name}Connection`, description: `A page of a list of ${noun}s.` },
    edge,
  );
  return (options: object) => (t: FieldBuilder) =>
    t.connection({ type, ...options } as never, connection as never, edge as never);
}

/**
 * Defines the edge and the connection of a type. Returns the definitions of its lists: `root` for a field of `Query`,
 * `child` for a field of a parent type.
 */
export function listOf<Found extends Condition | Promise<Condition>>(
  type: NodeRef,
  { model, noun, order, filter, where, client = (ctx) => ctx.db }: ListedType<Found>,
) {
  const typeName = type.name;
  const field = connectionOf(type, noun);
  const filterArgs = filter
    ? builder.args((t) => ({
        filter: t.field({
          type: filter.type,
          description: `Selects the ${noun}s that meet all of its conditions. Omit for ${filter.default}.`,
        }),
      }))
    : {};
  const root = (description: string) =>
    field({
      description,
      args: { ...filterArgs, ...order.args },
      resolve: async (_root: unknown, args: ListArgs, ctx: GraphContext, info: GraphQLResolveInfo) => {
        const list = { model, typeName, order: order.of(args), where: await where(args.filter, ctx) };
        return rootList(client(ctx), ctx, info, list, args);
      },
    });
  const child = ({ description, relation, parentColumn, order: ordering = order, hasFilter = true }: Child) =>
    field({
      description,
      args: { ...(hasFilter ? filterArgs : {}), ...ordering.args },
      ...childList({
        ...{ relation, model, typeName, parentColumn, client, order: ordering.of },
        where: ({ filter }, ctx) => where(filter, ctx) as Condition,
      }),
    });
  // A child list is read together with its parents, so its condition must not depend on the database.
  return { root, child: child as Found extends Condition ? typeof child : never };
}
