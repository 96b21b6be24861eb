import { Prisma, type RunStatus } from '../db/generated/client.ts';

/**
 * The state machine of a run: the statuses that may follow each status. QUEUED follows REQUIRES_ACTION when the tool
 * outputs were submitted. A status without successors is terminal.
 */
const nextStatuses = {
  QUEUED: ['IN_PROGRESS', 'CANCELLED'],
  IN_PROGRESS: ['REQUIRES_ACTION', 'CANCELLING', 'COMPLETED', 'INCOMPLETE', 'FAILED', 'EXPIRED'],
  REQUIRES_ACTION: ['QUEUED', 'CANCELLED', 'EXPIRED'],
  CANCELLING: ['CANCELLED'],
  CANCELLED: [],
  FAILED: [],
  COMPLETED: [],
  INCOMPLETE: [],
  EXPIRED: [],
} as const satisfies Record<RunStatus, readonly RunStatus[]>;

/** Whether the run has ended. */
export const isTerminal = (status: RunStatus): boolean => nextStatuses[status].length === 0;

/** Whether the server does nothing more with the run: it has ended or waits for its client. */
export const isAtRest = (status: RunStatus): boolean => isTerminal(status) || status === 'REQUIRES_ACTION';

/** The statuses from which `status` may be entered. */
export const statusesBefore = (status: RunStatus): RunStatus[] =>
  (Object.keys(nextStatuses) as RunStatus[]).filter((from) =>
    (nextStatuses[from] as readonly RunStatus[]).includes(status),
  );

/** The statuses in which a worker executes the run. */
export const executing = ['IN_PROGRESS', 'CANCELLING'] as const satisfies RunStatus[];

/** Whether a worker executes the run. */
export const isExecuting = (status: RunStatus): boolean => (executing as readonly RunStatus[]).includes(status);

/** `executing` as an SQL list of constants, which the planner can compare with partial indexes. */
export const executingSql = Prisma.raw(`(${executing.map((status) => `'${status}'`).join(', ')})`);
