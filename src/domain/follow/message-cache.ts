import { LRUCache } from 'lru-cache';
import type { Database } from '../../db/client.ts';
import type { Event, Message } from '../../db/generated/client.ts';
import { eventKind } from '../log/event-kinds.ts';

/** The rows that are kept for followers that reach their events later. */
const maxMessages = 32;

interface Entry {
  messageId: string;
  row: Promise<Message | null>;
}

/** The message rows of the newest events of one thread: read or received once for all followers. */
export class MessageCache {
  readonly #database: Database;
  readonly #workspaceId: string;
  readonly #onEnded: (message: Message) => void;
  /** By the number of the event. */
  readonly #rows = new LRUCache<number, Entry>({ max: maxMessages });
  /** Messages that are being written in this process, by ID. */
  readonly #started = new Map<string, Message>();

  /** `onEnded` is called with the row of each ended message, which holds the whole text. */
  constructor(database: Database, workspaceId: string, onEnded: (message: Message) => void) {
    this.#database = database;
    this.#workspaceId = workspaceId;
    this.#onEnded = onEnded;
  }

  /**
   * The row of an event's message, as read for the first follower that reached the event; null: the message is deleted.
   */
  rowOf(event: Event): Promise<Message | null> {
    const { seq, messageId } = event;
    const known = this.#rows.get(seq);
    if (known) return known.row;
    const entry = { messageId: messageId ?? '', row: this.#read(event) };
    this.#rows.set(seq, entry);
    // A failed read is not cached: the next follower reads again.
    entry.row.catch(() => this.#rows.peek(seq) === entry && this.#rows.delete(seq));
    return entry.row;
  }

  /**
   * Caches the row of a published event's message. `message`: the whole row when the message starts or is added, the
   * changed columns when it ends. The latter are ignored unless the start was published in this process, too.
   */
  keep(event: Event | undefined, message: Partial<Message>): void {
    if (!event?.messageId) return;
    const change = eventKind(event.type).message;
    const before = change === 'ended' ? this.#started.get(event.messageId) : null;
    if (before === undefined) return;
    const row = { ...before, ...message } as Message;
    if (change === 'started') this.#started.set(row.id, row);
    if (change === 'ended') {
      this.#started.delete(row.id);
      this.#onEnded(row);
    }
    this.#rows.set(event.seq, { messageId: row.id, row: Promise.resolve(row) });
  }

  /** Drops the rows of a message that was removed or edited. */
  forget(messageId: string): void {
    this.#started.delete(messageId);
    for (const [seq, entry] of this.#rows.entries()) if (entry.messageId === messageId) this.#rows.delete(seq);
  }

  async #read({ type, messageId }: Event): Promise<Message | null> {
    const where = { workspaceId: this.#workspaceId, id: messageId ?? '' };
    const message = await this.#database.message.findFirst({ where });
    if (message && eventKind(type).message === 'ended') this.#onEnded(message);
    return message;
  }
}
