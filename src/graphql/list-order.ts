import type { InputFieldMap } from '@pothos/core';
import { builder } from './builder.ts';
import type { ListOrder, OrderColumn } from './connection.ts';
import type { ListArgs } from './list.ts';
import { OrderDirection } from './order-direction.ts';

type Direction = ListOrder['direction'];
/** A field that clients can order a list by: its column, and what the column holds. */
type OrderField = OrderColumn & { description: string };

/** An order: the argument with which clients choose it, and the order that the arguments of a field select. */
export interface Ordering {
  args: InputFieldMap;
  of: (args: ListArgs) => ListOrder;
}

const id: OrderColumn = { name: 'id', type: 'text' };

const descriptionsOf = <Field extends string>(fields: Record<Field, OrderField>) =>
  Object.fromEntries(
    Object.entries<OrderField>(fields).map(([field, { description }]) => [field, { description }]),
  ) as Record<Field, { description: string }>;

/** Newest first; clients cannot choose. `list` names the list within its cursors. */
export const byAge = (list: string): Ordering => ({
  args: {},
  of: () => ({ list, columns: [{ name: 'createdAt', type: 'time' }, id], direction: 'DESC' }),
});

/** By a unique column, in the direction of the argument `order`. */
export const byColumn = (list: string, column: OrderColumn, defaultValue: Direction): Ordering => ({
  args: builder.args((t) => ({
    order: t.field({
      type: OrderDirection,
      defaultValue,
      description: `The direction of the order by \`${column.name}\`. Default ${defaultValue}.`,
    }),
  })),
  of: ({ order }) => ({ list, columns: [column], direction: order ?? defaultValue }),
});

/**
 * By the field and in the direction of the argument `orderBy`. Defines the enum `<typeName>OrderField` and the input
 * `<typeName>Order`. Rows with equal values are ordered by id.
 */
export function byField<Field extends string>(
  list: string,
  typeName: string,
  defaultField: NoInfer<Field>,
  fields: Record<Field, OrderField>,
): Ordering {
  const OrderField = builder.enumType(`${typeName}OrderField`, {
    description: `The fields that ${list} can be ordered by.`,
    values: descriptionsOf(fields),
  });
  const Order = builder.inputType(`${typeName}Order`, {
    description: `The order of a list of ${list}.`,
    fields: (t) => ({
      field: t.field({
        type: OrderField,
        required: true,
        defaultValue: defaultField as never,
        description: 'The field to order by.',
      }),
      direction: t.field({
        type: OrderDirection,
        required: true,
        defaultValue: 'DESC',
        description: 'The direction of the order.',
      }),
    }),
  });
  return {
    args: builder.args((t) => ({
      orderBy: t.field({ type: Order, description: `The order of the list. Omit for ${defaultField}, descending.` }),
    })),
    of: ({ orderBy }) => ({
      list,
      columns: [fields[(orderBy?.field ?? defaultField) as Field], id],
      direction: orderBy?.direction ?? 'DESC',
    }),
  };
}
