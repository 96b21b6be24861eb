import type { Database } from '../../db/client.ts';
import type { Event } from '../../db/generated/client.ts';

/** The events that are kept in memory, and that one read returns. A follower further behind reads the database. */
const maxEvents = 200;

const none: readonly Event[] = [];

/** The callbacks of an event log. */
interface LogListener {
  /** The log has read the number of the newest event. Events up to it are read from the database. */
  onBegin(): void;
  /** New events, in order. Called before any follower gets them. */
  onEvents(events: readonly Event[]): void;
}

/**
 * The newest events of one thread, shared by its followers. While no event is missing, published events are appended
 * without a read; otherwise the log is stale, and the next follower reads the database, once for all followers.
 */
export class EventLog {
  readonly #database: Database;
  readonly #thread: { workspaceId: string; threadId: string };
  readonly #listener: LogListener;
  #events: Event[] = [];
  /** `#events` holds all events from this number on; null: nothing has been read yet. */
  #from: number | null = null;
  #reading: Promise<void> | null = null;
  #isStale = true;
  #isGone = false;

  constructor(database: Database, thread: { workspaceId: string; threadId: string }, listener: LogListener) {
    this.#database = database;
    this.#thread = thread;
    this.#listener = listener;
  }

  /** Whether the thread has been deleted; known after `after` found nothing. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Some events may not have been received: the next follower reads the database. */
  markStale(): void {
    this.#isStale = true;
  }

  /** Whether an event with this number follows the newest one without a gap. */
  isNext(seq: number | undefined): boolean {
    const newest = this.#newest;
    return newest !== null && !this.#isStale && !this.#reading && seq === newest + 1;
  }

  /** Appends events that follow the newest one. */
  append(events: Event[]): void {
    this.#listener.onEvents(events);
    this.#events.push(...events);
    const surplus = this.#events.length - maxEvents;
    if (surplus > 0) this.#events.splice(0, surplus);
    this.#from = this.#events[0]?.seq ?? this.#from;
  }

  /**
   * The events after `seq`, in order, at most `maxEvents`; empty when there are none. Synchronous when they are known,
   * because it is called for every delta.
   */
  after(seq: number): readonly Event[] | Promise<readonly Event[]> {
    const isKnown = !this.#isStale && !this.#reading && this.#from !== null && seq + 1 >= this.#from;
    if (isKnown) return seq === this.#newest ? none : this.#events.filter((event) => event.seq > seq);
    return this.#readAfter(seq);
  }

  async #readAfter(seq: number): Promise<readonly Event[]> {
    while (this.#isStale || this.#reading) {
      this.#reading ??= this.#refresh().finally(() => {
        this.#reading = null;
      });
      await this.#reading;
    }
    if (this.#from !== null && seq + 1 >= this.#from) return this.#events.filter((event) => event.seq > seq);
    // Newer events in the database are not delivered yet: the listener must mark the texts that they end first.
    return this.#read(seq, this.#newest ?? seq);
  }

  /** Reads the new events. After a failed read the log is stale. */
  async #refresh(): Promise<void> {
    this.#isStale = false;
    try {
      const newest = this.#newest;
      if (newest === null) await this.#begin();
      else await this.#readNew(newest);
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const last = await this.#lastSeq();
    this.#isGone = last === null;
    this.#from = (last ?? 0) + 1;
    this.#listener.onBegin();
  }

  async #readNew(newest: number): Promise<void> {
    const events = await this.#read(newest);
    if (events.length === maxEvents) this.#isStale = true;
    if (events.length === 0) this.#isGone = (await this.#lastSeq()) === null;
    this.append(events);
  }

  #read(after: number, to?: number): Promise<Event[]> {
    return this.#database.event.findMany({
      where: { ...this.#thread, seq: { gt: after, ...(to === undefined ? {} : { lte: to }) } },
      orderBy: { seq: 'asc' },
      take: maxEvents,
    });
  }

  /** The number of the newest known event, 0 for an empty log; null: nothing has been read yet. */
  get #newest(): number | null {
    return this.#events.at(-1)?.seq ?? (this.#from === null ? null : this.#from - 1);
  }

  /** Reads the number of the thread's newest event; null: the thread is deleted. */
  async #lastSeq(): Promise<number | null> {
    const { workspaceId, threadId } = this.#thread;
    const where = { workspaceId, id: threadId, deletedAt: null };
    const thread = await this.#database.thread.findFirst({ where, select: { lastSeq: true } });
    return thread?.lastSeq ?? null;
  }
}
