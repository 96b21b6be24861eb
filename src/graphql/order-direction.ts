import { builder } from './builder.ts';

/** The direction of a list's order. */
export const OrderDirection = builder.enumType('OrderDirection', {
  description: 'The direction of the order of a list.',
  values: {
    ASC: { description: 'Ascending: the smallest, the oldest or the first in the alphabet comes first.' },
    DESC: { description: 'Descending: the largest, the newest or the last in the alphabet comes first.' },
  } as const,
});
