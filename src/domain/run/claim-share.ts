import { fewSlots, type Holder, shareFactor } from '../../async/fair-slots.ts';
import { Prisma } from '../../db/generated/client.ts';

/** The slots of a worker: how many are free, and who holds the others. */
export interface WorkerSlots {
  readonly total: number;
  readonly free: number;
  readonly holders: readonly Holder[];
}

/** The share of `FairSlots` as SQL, in whole numbers: numeric ones would dominate the claim. */
export const shareSql = (free: Prisma.Sql, held: Prisma.Sql): Prisma.Sql =>
  Prisma.sql`greatest((${factor} * ${free} - ${held}) / ${divisor}, CASE WHEN ${held} = 0 THEN least(${free}, 1) ELSE 0 END, 0)`;

/** Whether a party may hold its `nth` slot when `left` slots are left after it. The rule of `shareOf`, for one slot. */
export const fitsSql = (nth: Prisma.Sql, left: Prisma.Sql): Prisma.Sql =>
  Prisma.sql`(${nth} = 1 OR ${nth} <= ${factor} * (${left}))`;

/** Whether a worker has too few slots to leave one free for other workspaces. */
export const hasFewSlots = ({ total }: WorkerSlots): boolean => total <= fewSlots;

const factor = Prisma.raw(String(shareFactor));
const divisor = Prisma.raw(`${shareFactor + 1}`);
