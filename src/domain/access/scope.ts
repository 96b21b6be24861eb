import type { Prisma } from '../../db/generated/client.ts';
import type { Actor } from './actor.ts';

/**
 * The `where` of the threads that the actor can see: all threads for a key, the owned ones for an end user; no deleted ones.
 * The workspace is not part of it: the client is bound to one.
 */
export function threadsVisibleTo(actor: Actor): Prisma.ThreadWhereInput {
  return { deletedAt: null, ...(actor.kind === 'USER' ? { owner: actor.userId } : {}) };
}

/** The `where` of the assistants that the actor may use: all for a key. */
export function assistantsVisibleTo(actor: Actor): Prisma.AssistantWhereInput {
  const ids = actor.kind === 'USER' ? actor.rights.assistantIds : null;
  return ids === null ? {} : { id: { in: [...ids] } };
}

/** The same for rows that belong to an assistant: its files. */
export function inAssistantsVisibleTo(actor: Actor): { assistantId?: { in: string[] } } {
  const ids = actor.kind === 'USER' ? actor.rights.assistantIds : null;
  return ids === null ? {} : { assistantId: { in: [...ids] } };
}

/** The same for rows that belong to a thread: messages, runs, events. */
export function inThreadsVisibleTo(actor: Actor): { thread: Prisma.ThreadWhereInput } {
  return { thread: threadsVisibleTo(actor) };
}

/** The same for rows that belong to a run: steps. */
export function inRunsVisibleTo(actor: Actor): { run: Prisma.RunWhereInput } {
  return { run: inThreadsVisibleTo(actor) };
}

/**
 * For look-ups of rows by their unique ID, which are batched only without conditions on other tables: an end user's
 * condition, and none for a key, whose rows of deleted threads `deletedRows` finds.
 */
export const unlessKey = <Where>(actor: Actor, where: Where): Where | Record<string, never> =>
  actor.kind === 'USER' ? where : {};
