import type { Prisma } from '../../db/generated/client.ts';
import type { Actor } from './actor.ts';

/**
 * What of the workspace the actor sees, as a `where`: a key sees all of it, an end user only the threads they own.
 * The workspace itself is no part of it: the client is bound to that.
 */
export function threadsVisibleTo(actor: Actor): Prisma.ThreadWhereInput {
  return actor.kind === 'USER' ? { owner: actor.userId } : {};
}

/** The same for what hangs on a thread directly: messages, runs, events. */
export function inThreadsVisibleTo(actor: Actor): { thread?: Prisma.ThreadWhereInput } {
  return actor.kind === 'USER' ? { thread: threadsVisibleTo(actor) } : {};
}

/** The same for what hangs on a run: steps. */
export function inRunsVisibleTo(actor: Actor): { run?: Prisma.RunWhereInput } {
  return actor.kind === 'USER' ? { run: inThreadsVisibleTo(actor) } : {};
}
