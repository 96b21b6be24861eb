import { type Bus, type BusEntry, type BusMessage, threadTopic } from '../../bus/bus.ts';
import type { Database } from '../../db/client.ts';
import type { Event, Message } from '../../db/generated/client.ts';
import { keysOpenedBy, type TextKey } from '../log/growing-text.ts';
import { TextFeed } from './text-feed.ts';

/** How many of the newest events are kept for those who follow live; who is further behind reads the database. */
const maxEvents = 200;
/** How much of what was told is kept for others who are told the same; those who are far behind share nothing. */
const maxShared = 64;
/** How many messages that events are about are kept for the followers that come to those events later. */
const maxMessages = 32;

const nothing: readonly Event[] = [];

/** Where a feed reads. */
export interface FeedSource {
  database: Database;
  bus: Bus;
  /** How often a thread is read although the bus said nothing: the bus may lose the last message. */
  pollMs: number;
}

/**
 * What this process knows of one thread that somebody follows, shared by all its followers: the newest events, the texts
 * that grow, and what was told last; of each no more than a fixed number, however many follow and however far they are behind.
 */
export class ThreadFeed {
  readonly workspaceId: string;
  readonly threadId: string;
  readonly #database: Database;
  readonly #texts: TextFeed;
  readonly #messages = new Map<number, { id: string; row: Promise<Message | null> }>();
  /** Messages that are being written, as their rows were announced in this process. */
  readonly #written = new Map<string, Message>();
  readonly #waiting = new Set<() => void>();
  readonly #shared = new Map<string, object>();
  readonly #unsubscribe: () => void;
  readonly #backstop: NodeJS.Timeout;
  #events: Event[] = [];
  /** Events from this number on are all in `#events`. */
  #from: number | null = null;
  #reading: Promise<void> | null = null;
  #dirty = true;
  #gone = false;
  #version = 0;

  constructor(
    { database, bus, pollMs }: FeedSource,
    { workspaceId, threadId }: { workspaceId: string; threadId: string },
  ) {
    this.#database = database;
    this.#texts = new TextFeed(database, workspaceId);
    this.workspaceId = workspaceId;
    this.threadId = threadId;
    this.#unsubscribe = bus.subscribe(threadTopic(threadId), (message) => this.#onMessage(message));
    this.#backstop = setInterval(() => this.#onMessage({ kind: 'gap' }), pollMs).unref();
  }

  close(): void {
    this.#unsubscribe();
    clearInterval(this.#backstop);
  }

  /** Rises with everything that is heard of the thread; taken before reading, given to `changed` after it. */
  get version(): number {
    return this.#version;
  }

  /** Resolves when something has been heard since `version`, or when the signal aborts. */
  changed(version: number, signal: AbortSignal): Promise<void> {
    if (version !== this.#version || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  /**
   * The events after `seq`, in order; at most some hundreds at once, none when there is nothing new. At once where they are
   * known: every delta of a text asks.
   */
  eventsAfter(seq: number): readonly Event[] | Promise<readonly Event[]> {
    const isKnown = !this.#dirty && !this.#reading && this.#from !== null && seq + 1 >= this.#from;
    if (isKnown) return seq === this.#newest ? nothing : this.#events.filter((event) => event.seq > seq);
    return this.#readAfter(seq);
  }

  async #readAfter(seq: number): Promise<readonly Event[]> {
    while (this.#dirty || this.#reading) {
      this.#reading ??= this.#readNew()
        .catch((error) => {
          this.#dirty = true;
          throw error;
        })
        .finally(() => {
          this.#reading = null;
        });
      await this.#reading;
    }
    if (this.#from !== null && seq + 1 >= this.#from) return this.#events.filter((event) => event.seq > seq);
    return this.#database.event.findMany({
      where: { workspaceId: this.workspaceId, threadId: this.threadId, seq: { gt: seq } },
      orderBy: { seq: 'asc' },
      take: maxEvents,
    });
  }

  /** The text as far as it has grown; at once where that is known. */
  textOf(key: TextKey): string | Promise<string> {
    return this.#texts.read(key);
  }

  /** The same object for all who are told the same, until more is heard: what is made of it need be made only once. */
  share<T extends object>(name: string, make: () => T): T {
    const known = this.#shared.get(name) ?? make();
    if (this.#shared.size < maxShared) this.#shared.set(name, known);
    return known as T;
  }

  /** Whether the thread has been deleted; known after `eventsAfter` found nothing. */
  get isGone(): boolean {
    return this.#gone;
  }

  /** The message that an event is about, as it was read for the first follower that came to it; null: it is gone. */
  messageOf({ seq, type, messageId }: Event): Promise<Message | null> {
    const known = this.#messages.get(seq);
    if (known) return known.row;
    const id = messageId ?? '';
    const row = this.#readMessage(type, id);
    this.#remember(seq, id, row);
    // Whoever asks again has it read again.
    row.catch(() => this.#messages.get(seq)?.row === row && this.#messages.delete(seq));
    return row;
  }

  async #readMessage(type: Event['type'], id: string): Promise<Message | null> {
    const message = await this.#database.message.findFirst({ where: { workspaceId: this.workspaceId, id } });
    if (message) this.#keepText(type, message);
    return message;
  }

  #remember(seq: number, id: string, row: Promise<Message | null>): void {
    this.#messages.set(seq, { id, row });
    if (this.#messages.size > maxMessages) this.#messages.delete(this.#messages.keys().next().value as number);
  }

  /** The row of a message that has ended holds the whole text: it need not be read again. */
  #keepText(type: Event['type'], { id, text }: Message): void {
    if (type !== 'MESSAGE_ENDED') return;
    this.#texts.set({ ownerId: id, channel: 'TEXT' }, text);
  }

  #onMessage(message: BusMessage): void {
    if (message.kind === 'delta') this.#texts.append(message, message);
    if (message.kind === 'events' && !this.#append(message)) this.#dirty = true;
    if (message.kind === 'gap') this.#dirty = true;
    if (message.kind === 'gap') this.#texts.markStale();
    this.#version += 1;
    this.#shared.clear();
    for (const wake of [...this.#waiting]) wake();
  }

  /** Takes events as they were announced, if they are the next ones: they need not be read. */
  #append({ entries = [], here = [] }: Extract<BusMessage, { kind: 'events' }>): boolean {
    const newest = this.#newest;
    const isNext = newest !== null && !this.#dirty && !this.#reading && entries[0]?.seq === newest + 1;
    if (!isNext) return false;
    const { workspaceId, threadId } = this;
    const events = entries.map((entry) => eventOf(entry, workspaceId, threadId));
    for (const { seq, message } of here)
      this.#keepMessage(
        seq,
        events.find((event) => event.seq === seq),
        message,
      );
    for (const event of events) this.#begin(event);
    this.#appendEvents(events);
    return true;
  }

  /** The row of a message, or what is new of one whose row is known, is what followers of the event are shown. */
  #keepMessage(seq: number, event: Event | undefined, message: Partial<Message>): void {
    if (!event?.messageId) return;
    const isEnd = event.type === 'MESSAGE_ENDED';
    const before = isEnd ? this.#written.get(event.messageId) : null;
    if (before === undefined) return;
    const row = { ...before, ...message } as Message;
    if (event.type === 'MESSAGE_STARTED') this.#written.set(row.id, row);
    if (isEnd) this.#written.delete(row.id);
    this.#keepText(event.type, row);
    this.#remember(seq, row.id, Promise.resolve(row));
  }

  /** A text that begins while this feed listens is known from its start. */
  #begin(event: Event): void {
    for (const key of keysOpenedBy(event)) this.#texts.begin(key);
  }

  async #readNew(): Promise<void> {
    this.#dirty = false;
    const newest = this.#newest;
    const where = { workspaceId: this.workspaceId, threadId: this.threadId };
    if (newest === null) {
      const last = await this.#lastSeq();
      this.#gone = last === null;
      this.#from = (last ?? 0) + 1;
      // Events up to here are told as the database has them; a text that was read before may lack what they brought.
      this.#texts.markStale();
      return;
    }
    const events = await this.#database.event.findMany({
      where: { ...where, seq: { gt: newest } },
      orderBy: { seq: 'asc' },
      take: maxEvents,
    });
    if (events.length === maxEvents) this.#dirty = true;
    if (events.length === 0) this.#gone = (await this.#lastSeq()) === null;
    this.#appendEvents(events);
  }

  /** What is kept of a message that was removed, or edited, is told to nobody any more: whoever comes reads its row. */
  #forget(messageId: string): void {
    this.#texts.forget({ ownerId: messageId, channel: 'TEXT' });
    this.#written.delete(messageId);
    this.#shared.clear();
    for (const [seq, { id }] of this.#messages) if (id === messageId) this.#messages.delete(seq);
  }

  /** The number of the newest event that is known; null: nothing has been read yet. */
  get #newest(): number | null {
    return this.#events.at(-1)?.seq ?? (this.#from === null ? null : this.#from - 1);
  }

  #appendEvents(events: Event[]): void {
    for (const event of events) {
      this.#refresh(event);
      if (event.type === 'MESSAGE_REMOVED') this.#forget(event.messageId ?? '');
    }
    this.#events.push(...events);
    const surplus = this.#events.length - maxEvents;
    if (surplus > 0) this.#events.splice(0, surplus);
    this.#from = this.#events[0]?.seq ?? this.#from;
  }

  /** The number of the thread's newest event; null when the thread is gone. */
  async #lastSeq(): Promise<number | null> {
    const thread = await this.#database.thread.findFirst({
      where: { workspaceId: this.workspaceId, id: this.threadId },
      select: { lastSeq: true },
    });
    return thread?.lastSeq ?? null;
  }

  /** What ended a step or parked its run has completed texts in their rows; `messageOf` sees to those of messages. */
  #refresh({ type, value, messageId }: Event): void {
    if (type === 'MESSAGE_ENDED') this.#texts.complete({ ownerId: messageId ?? '', channel: 'TEXT' });
    const isParked = type === 'RUN_STATUS_CHANGED' && value === 'REQUIRES_ACTION';
    if (type === 'STEP_ENDED' || isParked) this.#texts.markStepsStale({ areOver: !isParked });
  }
}

/** An event as its row, from how it travelled. Whether its texts are closed by now, only the row itself says. */
function eventOf({ at, type, ...entry }: BusEntry, workspaceId: string, threadId: string): Event {
  const nothing = { runId: null, stepId: null, messageId: null, toolCallId: null, value: null, closedSeq: null };
  return { ...nothing, ...entry, workspaceId, threadId, type: type as Event['type'], at: new Date(at) };
}
