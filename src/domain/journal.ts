import { threadTopic } from '../bus/bus.ts';
import type { Transaction } from '../db/client.ts';
import type { EventType, Prisma } from '../db/generated/client.ts';
import type { DomainContext } from './context.ts';
import { NotFoundError } from './error.ts';
import { threadsVisibleTo } from './scope.ts';

/** The `closedSeq` of an event whose texts are still growing: the largest Int of PostgreSQL. */
export const stillOpen = 2_147_483_647;

/** What happened, as the log keeps it. */
export type Entry = Omit<Prisma.EventCreateManyInput, 'workspaceId' | 'threadId' | 'seq' | 'at' | 'closedSeq'>;

const opening = new Set<EventType>(['MESSAGE_STARTED', 'REASONING_STARTED', 'TOOL_CALL_STARTED']);

/** The columns of a thread that a change reads and writes under the row lock. */
export interface LockedThread {
  id: string;
  assistantId: string | null;
  owner: string | null;
  activeRunId: string | null;
  lastSeq: number;
  lastPosition: number;
  lastRun: number;
  lastActiveAt: Date;
}

/** A change of one thread, under its row lock: gives out numbers in order and keeps the log that followers read. */
export class ThreadChange {
  readonly tx: Transaction;
  readonly thread: LockedThread;
  readonly now: Date;
  readonly #workspaceId: string;
  readonly #events: Array<Entry & { seq: number; closedSeq: number | null }> = [];
  readonly #closing: Array<{ seq: number; messageId?: string; stepId?: string }> = [];
  readonly #afterCommit: Array<() => void> = [];

  constructor(tx: Transaction, workspaceId: string, thread: LockedThread) {
    this.tx = tx;
    this.thread = thread;
    this.now = new Date();
    this.#workspaceId = workspaceId;
  }

  /**
   * Adds to the log; returns the number of the event. Events that open growing texts stay open until another `closes`
   * them: the text of a message, or the reasoning and the calls of a step.
   */
  log(entry: Entry, closes?: { messageId: string } | { stepId: string }): number {
    this.thread.lastSeq += 1;
    const seq = this.thread.lastSeq;
    this.#events.push({ ...entry, seq, closedSeq: opening.has(entry.type) ? stillOpen : null });
    if (closes) this.#closing.push({ seq, ...closes });
    return seq;
  }

  /** The next message position. */
  position(): number {
    this.thread.lastPosition += 1;
    return this.thread.lastPosition;
  }

  /** The next run number. */
  runNumber(): number {
    this.thread.lastRun += 1;
    return this.thread.lastRun;
  }

  /** Runs when the change has been committed, and never when it was not. Must not throw. */
  afterCommit(action: () => void): void {
    this.#afterCommit.push(action);
  }

  /** Writes the log and the numbers, in one statement; called once, before the commit. */
  async write(before: LockedThread): Promise<void> {
    const { id, activeRunId, lastSeq, lastPosition, lastRun, lastActiveAt } = this.thread;
    const isChanged = Object.entries(before).some(([name, value]) => this.thread[name as keyof LockedThread] !== value);
    if (!isChanged) return;
    const workspaceId = this.#workspaceId;
    await this.tx.$executeRaw`
      WITH entry AS (
        INSERT INTO "Event" ("workspaceId", "threadId", "seq", "type", "runId", "stepId", "messageId", "toolCallId", "value", "closedSeq", "at")
        SELECT ${workspaceId}, ${id}, "seq", "type"::"EventType", "runId", "stepId", "messageId", "toolCallId", "value", "closedSeq", ${this.now}::timestamptz
        FROM jsonb_to_recordset(${JSON.stringify(this.#events)}::jsonb) AS e
          ("seq" int, "type" text, "runId" text, "stepId" text, "messageId" text, "toolCallId" text, "value" text, "closedSeq" int)
      ), closing AS (
        UPDATE "Event" e SET "closedSeq" = c."seq"
        FROM jsonb_to_recordset(${JSON.stringify(this.#closing)}::jsonb) AS c ("seq" int, "messageId" text, "stepId" text)
        WHERE e."workspaceId" = ${workspaceId} AND e."threadId" = ${id} AND e."closedSeq" = ${stillOpen}
          AND (e."messageId" = c."messageId" OR e."messageId" IS NULL AND e."stepId" = c."stepId")
      )
      UPDATE "Thread" SET "activeRunId" = ${activeRunId}::text, "lastSeq" = ${lastSeq}, "lastPosition" = ${lastPosition},
        "lastRun" = ${lastRun}, "lastActiveAt" = ${lastActiveAt}::timestamptz
      WHERE "workspaceId" = ${workspaceId} AND "id" = ${id}`;
  }

  /** Tells followers and runs what waited for the commit. */
  announce(publish: (seq: number) => void): void {
    if (this.#events.length > 0) publish(this.thread.lastSeq);
    for (const action of this.#afterCommit) action();
  }
}

/**
 * Changes a thread: locks its row, runs `change`, writes the log, commits, and tells followers. What `change` throws
 * undoes all of it. Nothing but the database may be awaited in it. `prepare` runs first, for a thread that is yet to be
 * inserted. Throws NotFoundError when the thread is not visible.
 */
export async function changeThread<T>(
  ctx: DomainContext,
  threadId: string,
  change: (change: ThreadChange) => Promise<T>,
  prepare?: (tx: Transaction) => Promise<void>,
): Promise<T> {
  const [result, done] = await ctx.db.$transaction(async (tx) => {
    await prepare?.(tx);
    const thread = await lockThread(ctx, tx, threadId);
    const before = { ...thread };
    const running = new ThreadChange(tx, ctx.workspaceId, thread);
    const value = await change(running);
    await running.write(before);
    return [value, running] as const;
  });
  done.announce((seq) => ctx.bus.publish(threadTopic(threadId), { kind: 'events', seq }));
  return result;
}

async function lockThread(ctx: DomainContext, tx: Transaction, threadId: string): Promise<LockedThread> {
  const { owner } = threadsVisibleTo(ctx.actor);
  const [thread] = await tx.$queryRaw<LockedThread[]>`
    SELECT "id", "assistantId", "owner", "activeRunId", "lastSeq", "lastPosition", "lastRun", "lastActiveAt"
    FROM "Thread" WHERE "workspaceId" = ${ctx.workspaceId} AND "id" = ${threadId} FOR UPDATE`;
  if (!thread || (owner !== undefined && thread.owner !== owner)) throw new NotFoundError(threadId);
  return thread;
}
