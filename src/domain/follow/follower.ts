import type { Event, Message, Run } from '../../db/generated/client.ts';
import { NotFoundError } from '../error.ts';
import { carriesMessage, endsText, eventKind, type TextKey, textsOpenedBy } from '../log/event-kinds.ts';
import { isTerminal } from '../run-status.ts';
import { type CatchUpBudget, endOfDelta } from './catch-up-budget.ts';
import { type CursorScope, encodeCursor } from './cursor.ts';
import type { ThreadFeed } from './thread-feed.ts';

/** What all feed items have. */
interface Place {
  cursor: string;
  threadId: string;
  runId: string | null;
  at: Date;
  /**
   * A growing text as far as it has been delivered up to and including the item; undefined: the text does not grow at the
   * item's cursor.
   */
  textAt(key: TextKey): string | Promise<string> | undefined;
}

/** An event of the log, or a delta of a growing text, as delivered to a subscriber. */
export type FeedItem = Place &
  (
    | { kind: 'event'; event: Event; message: Message | null }
    | {
        kind: 'delta';
        opener: Event;
        channel: TextKey['channel'];
        text: string;
        /** The row of the message that grows. Throws NotFoundError if the message has been deleted before it was read. */
        readMessage(): Promise<Message>;
      }
  );

/** A text that is open at the position of a follower. */
export interface OpenText extends TextKey {
  /** The event that opened the text. */
  opener: Event;
  /** The length that has been delivered, in UTF-16 code units. */
  offset: number;
  /** The row that was delivered with the event. */
  message?: Message | null;
}

/** The position of a follower: the last event and the open texts. */
export interface Checkpoint {
  seq: number;
  open: OpenText[];
}

/** The texts that an event opens, with nothing delivered yet. */
export function openTexts(opener: Event): OpenText[] {
  return textsOpenedBy(opener).map((key) => ({ ...key, opener, offset: 0 }));
}

/**
 * The server-side reader of a feed for one subscription. Its state is small: the last event and an offset per open
 * text.
 */
export class Follower {
  readonly #feed: ThreadFeed;
  readonly #scope: CursorScope;
  readonly #run: Run | null;
  readonly #catchUp: CatchUpBudget;
  readonly #signal: AbortSignal;
  #seq: number;
  #open: OpenText[];
  /** Events that were read; those from `#next` on are not delivered yet. */
  #events: readonly Event[] = [];
  #next = 0;
  /** The version of the feed when they were read. */
  #version = -1;
  #isOver = false;
  /** The length that the delta in flight has reserved in the shared budget. */
  #reserved = 0;

  /** `run`: only its events are delivered; null: those of the whole thread. The follower ends when `signal` aborts. */
  constructor(
    { feed, catchUp, signal }: { feed: ThreadFeed; catchUp: CatchUpBudget; signal: AbortSignal },
    scope: CursorScope,
    run: Run | null,
    { seq, open }: Checkpoint,
  ) {
    this.#feed = feed;
    this.#scope = scope;
    this.#run = run;
    this.#catchUp = catchUp;
    this.#signal = signal;
    this.#seq = seq;
    this.#open = open;
  }

  /**
   * Waits for the next feed item; null: the stream has ended. The call confirms that the previous item was consumed.
   * Throws NotFoundError when the thread is deleted. After an error of the database it can be called again.
   */
  async next(): Promise<FeedItem | null> {
    this.releaseBudget();
    while (!this.#signal.aborted && !this.#isOver) {
      const event = this.#nextEvent();
      // Read before the texts: the row of an ended message makes the whole text known to the feed.
      const message = event && carriesMessage(event.type) ? await this.#feed.messageOf(event) : null;
      // Deltas are delivered before the next event, which is the order of a live stream.
      const growth = this.#nextDelta();
      const delta = growth instanceof Promise ? await growth : growth;
      if (delta) return delta;
      const item = event ? this.#deliverEvent(event, message) : await this.#wait();
      if (item) return item;
    }
    return null;
  }

  /** The next event of the stream among those that were read. Skips events of other runs. */
  #nextEvent(): Event | undefined {
    for (;;) {
      const event = this.#events[this.#next];
      if (!event || !this.#run || event.runId === this.#run.id) return event;
      this.#seq = event.seq;
      this.#next += 1;
    }
  }

  /** Releases the reservation of the last delta, which was consumed or never will be. */
  releaseBudget(): void {
    this.#catchUp.release(this.#reserved);
    this.#reserved = 0;
  }

  /** Reads new events, or waits until the feed has received something since the last read. */
  async #wait(): Promise<null> {
    const { version } = this.#feed;
    if (version === this.#version) {
      await this.#feed.changed(version, this.#signal);
      return null;
    }
    const read = this.#feed.eventsAfter(this.#seq);
    this.#events = read instanceof Promise ? await read : read;
    this.#version = version;
    this.#next = 0;
    if (this.#events.length === 0 && this.#feed.isGone) throw new NotFoundError(this.#scope.threadId);
    // One read is limited, so more events may follow.
    if (this.#events.length > 0) this.#version = -1;
    return null;
  }

  #deliverEvent(event: Event, message: Message | null): FeedItem | null {
    this.#next += 1;
    this.#seq = event.seq;
    this.#open = [
      ...this.#open.filter((text) => !endsText(event, text, text.opener)),
      ...openTexts(event).map((text) => ({ ...text, message })),
    ];
    this.#isOver = this.#isLast(event);
    // Not delivered: the event of a message that was removed since (its removal follows in the log), and an event that
    // only opens a text.
    if ((carriesMessage(event.type) && !message) || eventKind(event.type).graphType === null) return null;
    const { cursor, offsets } = this.#position();
    return this.#feed.share(cursor, (): FeedItem => {
      const place = this.#placeOf(event, cursor, offsets);
      return { kind: 'event', event, message, at: event.at, ...place };
    });
  }

  #isLast({ runId, type, value }: Event): boolean {
    return runId === this.#run?.id && type === 'RUN_STATUS_CHANGED' && isTerminal(value as Run['status']);
  }

  /** The next delta of an open text, from the one with the index `from` on; null: no text has grown. */
  #nextDelta(from = 0): FeedItem | null | Promise<FeedItem | null> {
    for (const [index, text] of this.#open.entries()) {
      if (index < from) continue;
      const current = this.#feed.textOf(text);
      if (typeof current !== 'string')
        return current.then((read) => this.#deliverDelta(text, read) ?? this.#nextDelta(index + 1));
      const item = this.#deliverDelta(text, current);
      if (item) return item;
    }
    return null;
  }

  /** The delta from the delivered length of a text to its current length, or as far as the budget allows. */
  #deliverDelta(text: OpenText, current: string): FeedItem | null {
    const { opener, channel, ownerId, offset } = text;
    if (current.length <= offset || this.#signal.aborted) return null;
    this.#reserved = this.#catchUp.reserve(current.length - offset);
    const end = endOfDelta(current, offset, this.#reserved);
    text.offset = end;
    const { cursor, offsets } = this.#position();
    return this.#feed.share(`${cursor} ${ownerId} ${channel} ${offset}`, (): FeedItem => {
      const place = this.#placeOf(opener, cursor, offsets);
      const readMessage = () => this.#messageOf(text);
      return {
        kind: 'delta',
        opener,
        channel,
        text: current.slice(offset, end),
        readMessage,
        at: new Date(),
        ...place,
      };
    });
  }

  async #messageOf({ message, opener, ownerId }: OpenText): Promise<Message> {
    const row = message ?? (await this.#feed.messageOf(opener));
    if (!row) throw new NotFoundError(ownerId);
    return row;
  }

  #position(): { cursor: string; offsets: number[] } {
    const offsets = this.#open.map(({ offset }) => offset);
    return { cursor: encodeCursor(this.#scope, { seq: this.#seq, offsets }), offsets };
  }

  /** `event`: the event of the item, or the one that opened its text. `offsets`: the delivered lengths of the open texts. */
  #placeOf({ runId, threadId, stepId }: Event, cursor: string, offsets: readonly number[]): Omit<Place, 'at'> {
    const feed = this.#feed;
    const open = this.#open;
    const textAt = (key: TextKey) => {
      const index = open.findIndex(({ ownerId, channel }) => ownerId === key.ownerId && channel === key.channel);
      // The reasoning of a step can start after the step.
      if (index === -1) return key.ownerId === stepId ? '' : undefined;
      const text = feed.textOf(key);
      const upTo = offsets[index];
      return typeof text === 'string' ? text.slice(0, upTo) : text.then((read) => read.slice(0, upTo));
    };
    return { cursor, runId, threadId, textAt };
  }
}
