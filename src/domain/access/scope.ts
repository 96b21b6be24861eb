import type { Prisma } from '../../db/generated/client.ts';
import type { Actor } from './actor.ts';

/**
 * The `where` of the threads that the actor can see: all threads for a key, the owned ones for an end user.
 * The workspace is not part of it: the client is bound to one.
 */
export function threadsVisibleTo(actor: Actor): Prisma.ThreadWhereInput {
  return actor.kind === 'USER' ? { owner: actor.userId } : {};
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
export function inThreadsVisibleTo(actor: Actor): { thread?: Prisma.ThreadWhereInput } {
  return actor.kind === 'USER' ? { thread: threadsVisibleTo(actor) } : {};
}

/** The same for rows that belong to a run: steps. */
export function inRunsVisibleTo(actor: Actor): { run?: Prisma.RunWhereInput } {
  return actor.kind === 'USER' ? { run: inThreadsVisibleTo(actor) } : {};
}
