import type { GraphContext } from './context.ts';
import { operationLimits } from './limits.ts';

/** The rows that the list can have whose columns are being planned. Plans are made synchronously. */
let rows = 1;

/** Plans the columns of a list with at most `size` rows for each row of the list around it. */
export function planList<Plan>(size: number, plan: () => Plan): Plan {
  const outside = rows;
  rows *= size;
  try {
    return plan();
  } finally {
    rows = outside;
  }
}

const planned = new WeakMap<GraphContext, number>();

/** Whether the rows that are being planned may be read with a long value each. An operation reads few values in this way. */
export function mayReadWithRows(ctx: GraphContext): boolean {
  const values = (planned.get(ctx) ?? 0) + rows;
  if (values > operationLimits.valuesWithRows) return false;
  planned.set(ctx, values);
  return true;
}
