import type { InputFieldMap } from '@pothos/core';
import { builder } from './builder.ts';
import type { ListOrder, OrderColumn } from './connection.ts';
import type { ListArgs } from './list.ts';
import { OrderDirection } from './order-direction.ts';

type Direction = ListOrder['direction'];
/** A field that clients can order a list by: its column, and what the column holds. */
type OrderField = OrderColumn & {
  description: string;
  /** No two rows of a list have the same value. */
  isUnique?: true;
};

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

/** What clients can order a list by. */
interface Choice<Field extends string> {
  /** The name of the list within its cursors, and in descriptions. */
  list: string;
  /** The name of the type that is listed. Defines the enum `<typeName>OrderField` and the input `<typeName>Order`. */
  typeName: string;
  fields: Record<Field, OrderField>;
  /** The field without the argument. */
  field: NoInfer<Field>;
  /** The direction without the argument; null: each ordering of the type has its own. */
  direction: Direction | null;
}

/**
 * The orderings of a type, by the field and in the direction of the argument `orderBy`. Returns the maker of an ordering from its
 * default direction. Rows with equal values are ordered by id.
 */
export function orderingsOf<Field extends string>(choice: Choice<Field>): (direction: Direction) => Ordering {
  const { list, fields, field: defaultField } = choice;
  const Order = orderInput(choice);
  return (defaultDirection) => ({
    args: builder.args((t) => ({
      orderBy: t.field({
        type: Order,
        description: `The order of the list. Omit for ${defaultField}, ${defaultDirection === 'ASC' ? 'ascending' : 'descending'}.`,
      }),
    })),
    of: ({ orderBy }) => {
      const { isUnique, ...column } = fields[(orderBy?.field ?? defaultField) as Field];
      return { list, columns: isUnique ? [column] : [column, id], direction: orderBy?.direction ?? defaultDirection };
    },
  });
}

function orderInput<Field extends string>({ list, typeName, fields, field, direction }: Choice<Field>) {
  const OrderField = builder.enumType(`${typeName}OrderField`, {
    description: `The fields that ${list} can be ordered by.`,
    values: descriptionsOf(fields),
  });
  return builder.inputType(`${typeName}Order`, {
    description: `The order of a list of ${list}.`,
    fields: (t) => ({
      field: t.field({
        type: OrderField,
        required: true,
        defaultValue: field as never,
        description: 'The field to order by.',
      }),
      direction: t.field({
        type: OrderDirection,
        required: direction !== null,
        defaultValue: direction,
        description: `The direction of the order.${direction === null ? ' Omit for that of the list.' : ''}`,
      }),
    }),
  });
}

/** The ordering by age, newest first by default, or by name. */
export const byAgeOrName = (list: string, typeName: string): Ordering =>
  orderingsOf({
    list,
    typeName,
    fields: {
      CREATED_AT: { name: 'createdAt', type: 'time', description: 'The time of creation.' },
      NAME: { name: 'name', type: 'text', description: 'The name.' },
    },
    field: 'CREATED_AT',
    direction: 'DESC',
  })('DESC');
