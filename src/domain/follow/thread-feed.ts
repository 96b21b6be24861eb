import { type Bus, type BusEntry, type BusMessage, threadTopic } from '../../bus/bus.ts';
import type { Database } from '../../db/client.ts';
import type { Event, Message } from '../../db/generated/client.ts';
import { eventKind, type TextKey, textsOpenedBy } from '../log/event-kinds.ts';
import { EventLog } from './event-log.ts';
import { MessageCache } from './message-cache.ts';
import { TextFeed } from './text-feed.ts';
import { Wakeups } from './wakeups.ts';

/** The feed items that are shared between followers. Followers that are far behind share none. */
const maxShared = 64;

/** The sources of a feed. */
export interface FeedSource {
  database: Database;
  bus: Bus;
  /** How often a feed reads the database although the bus delivered nothing: the bus may lose the last message. */
  pollMs: number;
}

/**
 * What one process knows of a followed thread, shared by all followers: the newest events (`EventLog`), their message
 * rows (`MessageCache`), the growing texts (`TextFeed`) and the newest feed items. Each part has a fixed bound,
 * independent of the number of followers and of their lag.
 */
export class ThreadFeed {
  readonly workspaceId: string;
  readonly threadId: string;
  readonly #log: EventLog;
  readonly #messages: MessageCache;
  readonly #texts: TextFeed;
  readonly #wakeups = new Wakeups();
  readonly #shared = new Map<string, object>();
  readonly #unsubscribe: () => void;
  readonly #poll: NodeJS.Timeout;

  constructor({ database, bus, pollMs }: FeedSource, thread: { workspaceId: string; threadId: string }) {
    this.workspaceId = thread.workspaceId;
    this.threadId = thread.threadId;
    this.#texts = new TextFeed(database, thread.workspaceId);
    this.#messages = new MessageCache(database, thread.workspaceId, ({ id, text }) =>
      this.#texts.set({ ownerId: id, channel: 'TEXT' }, text),
    );
    this.#log = new EventLog(database, thread, {
      // A text that was read before may lack the effects of the events that the log skips.
      onBegin: () => this.#texts.markStale(),
      onEvents: (events) => this.#apply(events),
    });
    this.#unsubscribe = bus.subscribe(threadTopic(thread.threadId), (message) => this.#onMessage(message));
    this.#poll = setInterval(() => this.#onMessage({ kind: 'gap' }), pollMs).unref();
  }

  close(): void {
    this.#unsubscribe();
    clearInterval(this.#poll);
  }

  /** See `Wakeups.version`. */
  get version(): number {
    return this.#wakeups.version;
  }

  /** Resolves when something has been received since `version`, or when the signal aborts. */
  changed(version: number, signal: AbortSignal): Promise<void> {
    return this.#wakeups.changed(version, signal);
  }

  /** Whether the thread has been deleted; known after `eventsAfter` found nothing. */
  get isGone(): boolean {
    return this.#log.isGone;
  }

  /** The events after `seq`, in order; synchronous when they are known. */
  eventsAfter(seq: number): readonly Event[] | Promise<readonly Event[]> {
    return this.#log.after(seq);
  }

  /** The current text; synchronous when it is known. */
  textOf(key: TextKey): string | Promise<string> {
    return this.#texts.read(key);
  }

  /** The row of an event's message; null: the message is deleted. */
  messageOf(event: Event): Promise<Message | null> {
    return this.#messages.rowOf(event);
  }

  /**
   * Returns the same object to all followers of an item until the feed receives more, so that its result is computed
   * once.
   */
  share<T extends object>(name: string, make: () => T): T {
    const known = this.#shared.get(name) ?? make();
    if (this.#shared.size < maxShared) this.#shared.set(name, known);
    return known as T;
  }

  #onMessage(message: BusMessage): void {
    if (message.kind === 'delta') this.#texts.append(message, message);
    else if (message.kind === 'gap') {
      this.#log.markStale();
      this.#texts.markStale();
    } else if (message.kind === 'events' && !this.#appendAnnounced(message)) this.#log.markStale();
    this.#shared.clear();
    this.#wakeups.wake();
  }

  /** Appends published events without a read. Returns false when events before them are missing. */
  #appendAnnounced({ entries = [], here = [] }: Extract<BusMessage, { kind: 'events' }>): boolean {
    if (!this.#log.isNext(entries[0]?.seq)) return false;
    const events = entries.map((entry) => this.#eventOf(entry));
    for (const { seq, message } of here) {
      this.#messages.keep(
        events.find((event) => event.seq === seq),
        message,
      );
    }
    // A text that starts while the feed is subscribed is known from its start.
    for (const event of events) for (const key of textsOpenedBy(event)) this.#texts.begin(key);
    this.#log.append(events);
    return true;
  }

  /** Brings texts and messages up to date with new events. */
  #apply(events: readonly Event[]): void {
    for (const { type, value, messageId } of events) {
      const { message, ends } = eventKind(type);
      const text = { ownerId: messageId ?? '', channel: 'TEXT' } as const;
      if (message === 'ended') this.#texts.complete(text);
      if (message === 'removed') {
        this.#texts.forget(text);
        this.#messages.forget(text.ownerId);
        this.#shared.clear();
      }
      // The texts of a step that ended, or whose run is parked, are stored in its rows.
      const isParked = type === 'RUN_STATUS_CHANGED' && value === 'REQUIRES_ACTION';
      if (ends === 'step' || isParked) this.#texts.markStepsStale({ areOver: !isParked });
    }
  }

  /** The row of a published event. `closedSeq` is not published and stays null. */
  #eventOf({ at, type, ...entry }: BusEntry): Event {
    const absent = { runId: null, stepId: null, messageId: null, toolCallId: null, value: null, closedSeq: null };
    const { workspaceId, threadId } = this;
    return { ...absent, ...entry, workspaceId, threadId, type: type as Event['type'], at: new Date(at) };
  }
}
