import { type BusMessage, threadTopic } from '../../bus/bus.ts';
import type { Transaction } from '../../db/client.ts';
import { type Message, Prisma, type Run } from '../../db/generated/client.ts';
import { isUnavailable } from '../../db/unavailable.ts';
import { threadsVisibleTo } from '../access/scope.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';
import { executingSql } from '../run-status.ts';
import { hasCommitted } from './commit-outcome.ts';
import { eventKind } from './event-kinds.ts';
import { PendingWrites } from './pending-writes.ts';

/** The `closedSeq` of an event whose texts are still growing: the largest integer of PostgreSQL. */
export const stillOpen = 2_147_483_647;

/** An event to log; the change adds its number and time. */
export type Entry = Omit<Prisma.EventCreateManyInput, 'workspaceId' | 'threadId' | 'seq' | 'at' | 'closedSeq'>;

interface LogOptions {
  /** The row of the event's message, or its changed columns, for followers in this process. */
  message?: Partial<Message>;
  /** false: the event ends no text, although events of its kind can. */
  hasTexts?: boolean;
}

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

const threadColumns = [
  'id',
  'assistantId',
  'owner',
  'activeRunId',
  'lastSeq',
  'lastPosition',
  'lastRun',
  'lastActiveAt',
] as const satisfies Array<keyof LockedThread>;
type MissingColumn = Exclude<keyof LockedThread, (typeof threadColumns)[number]>;
const columns: MissingColumn extends never ? readonly string[] : never = threadColumns;
const threadSql = Prisma.raw(columns.map((name) => `t."${name}"`).join(', '));

/** A thread that a change has locked, and when, by the clock of the database. */
export interface TimedThread extends LockedThread {
  now: Date;
}

/** The current time by the clock of the database, which all processes share, as precise as a stored time. */
const databaseNow = Prisma.raw(`date_trunc('milliseconds', clock_timestamp()) AS "now"`);

/** The columns of `TimedThread`, of a table with the alias `t`. */
export const timedThreadSql = Prisma.sql`${threadSql}, ${databaseNow}`;

/** The columns of a run that its executor needs, read under the locks of the thread and the run. */
export type LockedRun = Pick<Run, 'id' | 'number' | 'fence' | 'status' | 'recordSteps' | 'startedAt' | 'firstTokenAt'>;

/** A change of one thread under its row lock: allocates numbers in order and writes the log that followers read. */
export class ThreadChange {
  readonly tx: Transaction;
  readonly thread: LockedThread;
  /** When the thread was locked, by the clock of the database: never before the last event. */
  readonly now: Date;
  /** The rows to write with the last statement. */
  readonly pending: PendingWrites;
  readonly #workspaceId: string;
  readonly #events: Array<Entry & { seq: number; closedSeq: number | null }> = [];
  readonly #messages: Array<{ seq: number; message: Record<string, unknown> }> = [];
  readonly #closing: Array<{ seq: number; messageId?: string; stepId?: string }> = [];
  readonly #afterCommit: Array<() => void> = [];

  constructor(tx: Transaction, workspaceId: string, { now, ...thread }: TimedThread) {
    this.tx = tx;
    this.thread = thread;
    this.now = now;
    this.#workspaceId = workspaceId;
    this.pending = new PendingWrites(workspaceId);
  }

  /**
   * Adds an event to the log and returns its number. An event that opens growing texts (`eventKinds`) stays open until
   * another one ends the texts of its message or of its step.
   */
  log(entry: Entry, { message, hasTexts = true }: LogOptions = {}): number {
    this.thread.lastSeq += 1;
    const seq = this.thread.lastSeq;
    const { opens, ends } = eventKind(entry.type);
    this.#events.push({ ...entry, seq, closedSeq: opens.length > 0 ? stillOpen : null });
    if (ends === 'message') this.#closing.push({ seq, messageId: entry.messageId ?? '' });
    if (ends === 'step' && hasTexts) this.#closing.push({ seq, stepId: entry.stepId ?? '' });
    if (message) this.#messages.push({ seq, message });
    return seq;
  }

  /** Allocates the next message position. */
  position(): number {
    this.thread.lastPosition += 1;
    return this.thread.lastPosition;
  }

  /** Allocates the next run number. */
  runNumber(): number {
    this.thread.lastRun += 1;
    return this.thread.lastRun;
  }

  /** Calls `action` after the commit, and never after a rollback. It must not throw. */
  afterCommit(action: () => void): void {
    this.#afterCommit.push(action);
  }

  /** Writes the pending rows now. Required before statements that read or change these rows. */
  async flush(): Promise<void> {
    if (this.pending.isEmpty) return;
    await this.tx.$executeRaw`WITH ${named(this.pending.drain())} SELECT 1`;
  }

  /** Writes the pending rows, the log and the allocated numbers with one statement. Called once, before the commit. */
  async write(before: LockedThread): Promise<void> {
    const { id, activeRunId, lastSeq, lastPosition, lastRun, lastActiveAt } = this.thread;
    const isChanged = Object.entries(before).some(([name, value]) => this.thread[name as keyof LockedThread] !== value);
    if (!isChanged && this.pending.isEmpty) return;
    const writes = this.pending.drain();
    const others = writes.length > 0 ? Prisma.sql`, ${named(writes)}` : Prisma.empty;
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
      )${others}
      UPDATE "Thread" SET "activeRunId" = ${activeRunId}::text, "lastSeq" = ${lastSeq}, "lastPosition" = ${lastPosition},
        "lastRun" = ${lastRun}, "lastActiveAt" = ${lastActiveAt}::timestamptz
      WHERE "workspaceId" = ${workspaceId} AND "id" = ${id}`;
  }

  /** Publishes the events and calls the actions of `afterCommit`. Called once, after the commit. */
  announce(publish: (message: BusMessage) => void): void {
    if (this.#events.length > 0) {
      const at = this.now.toISOString();
      const entries = this.#events.map(({ closedSeq: _closedSeq, ...entry }) => ({ ...entry, at }));
      publish({ kind: 'events', seq: this.thread.lastSeq, entries, here: this.#messages });
    }
    for (const action of this.#afterCommit) action();
  }
}

/** Statements as the parts of a WITH. */
const named = (statements: Prisma.Sql[]) =>
  Prisma.join(statements.map((statement, index) => Prisma.sql`${Prisma.raw(`w${index}`)} AS (${statement})`));

/** How a change of a thread starts; by default it locks an existing thread. */
interface ChangeStart {
  /** Inserts the thread and returns its row. */
  insert?: (tx: Transaction) => Promise<TimedThread>;
  /** Locks the run, too. Unless it is executed under this fence, the change throws NotFoundError. */
  run?: { id: string; fence: number };
}

/**
 * Changes a thread: locks its row, calls `change`, writes the log, commits, and publishes the events. An error in
 * `change` rolls everything back. `change` must await nothing but the database. Throws NotFoundError when the thread is
 * not visible to the actor. If the connection is lost during the commit, the change of a run waits for the database to learn
 * the outcome: it throws only if nothing was changed. Other changes throw the error, and may have been committed.
 */
export async function changeThread<T>(
  ctx: DomainContext,
  threadId: string,
  change: (change: ThreadChange, run: LockedRun | null) => Promise<T>,
  { insert, run }: ChangeStart = {},
): Promise<T> {
  let written: { xid: string | null; value: T; change: ThreadChange } | null = null;
  try {
    await ctx.db.$transaction(async (tx) => {
      const locked = run ? await lockWithRun(ctx, tx, threadId, run) : null;
      const thread = locked?.thread ?? (await (insert ? insert(tx) : lockThread(ctx, tx, threadId)));
      const threadChange = new ThreadChange(tx, ctx.workspaceId, thread);
      const before = { ...threadChange.thread };
      const value = await change(threadChange, locked?.run ?? null);
      await threadChange.write(before);
      written = { xid: locked?.xid ?? null, value, change: threadChange };
    });
  } catch (error) {
    // Assigned in a callback, which the compiler does not follow.
    const { xid = null } = (written as { xid: string | null } | null) ?? {};
    if (xid === null || !isUnavailable(error) || !(await hasCommitted(ctx, xid))) throw error;
  }
  const done = written as unknown as { value: T; change: ThreadChange };
  done.change.announce((message) => ctx.bus.publish(threadTopic(threadId), message));
  return done.value;
}

async function lockThread(ctx: DomainContext, tx: Transaction, threadId: string): Promise<TimedThread> {
  const { owner } = threadsVisibleTo(ctx.actor);
  // The outer query reads the clock when the lock is held.
  const [thread] = await tx.$queryRaw<TimedThread[]>`
    SELECT ${timedThreadSql} FROM (
      SELECT ${threadSql} FROM "Thread" t
      WHERE t."workspaceId" = ${ctx.workspaceId} AND t."id" = ${threadId} AND t."deletedAt" IS NULL FOR UPDATE
    ) t`;
  if (!thread || (owner !== undefined && thread.owner !== owner)) throw new NotFoundError(threadId);
  return thread;
}

/**
 * For the executor of the run, which acts as the server. Locks the thread first, like every other change. `xid`: the id of the
 * transaction, with which its outcome can be looked up.
 */
async function lockWithRun(
  ctx: DomainContext,
  tx: Transaction,
  threadId: string,
  { id, fence }: { id: string; fence: number },
): Promise<{ thread: TimedThread; run: LockedRun; xid: string }> {
  const [row] = await tx.$queryRaw<Array<TimedThread & Omit<LockedRun, 'id'> & { runId: string; xid: string }>>`
    SELECT t.*, ${databaseNow}, pg_current_xact_id()::text AS "xid" FROM (
      SELECT ${threadSql},
        r."id" AS "runId", r."number", r."fence", r."status", r."recordSteps", r."startedAt", r."firstTokenAt"
      FROM "Thread" t JOIN "Run" r ON r."workspaceId" = t."workspaceId" AND r."threadId" = t."id"
      WHERE t."workspaceId" = ${ctx.workspaceId} AND t."id" = ${threadId}
        AND r."id" = ${id} AND r."fence" = ${fence} AND r."status" IN ${executingSql}
      FOR UPDATE OF t FOR NO KEY UPDATE OF r
    ) t`;
  if (!row) throw new NotFoundError(threadId);
  const { runId, number, fence: current, status, recordSteps, startedAt, firstTokenAt, xid, ...thread } = row;
  return { thread, xid, run: { id: runId, number, fence: current, status, recordSteps, startedAt, firstTokenAt } };
}
