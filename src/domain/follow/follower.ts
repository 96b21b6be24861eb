import type { Event, Message, Run } from '../../db/generated/client.ts';
import { NotFoundError } from '../error.ts';
import { carriesMessage, endsText, eventKind, type TextKey, textsOpenedBy } from '../log/event-kinds.ts';
import { isTerminal } from '../run-status.ts';
import { type CatchUpBudget, endOfDelta } from './catch-up-budget.ts';
import { type CursorScope, encodeCursor } from './cursor.ts';
import type { ThreadFeed } from './thread-feed.ts';

/** What a follower is told: an event of the log, or the next delta of a text that grows. */
export type FeedItem = { cursor: string; threadId: string; runId: string | null; at: Date } & (
  | { kind: 'event'; event: Event; message: Message | null }
  | { kind: 'delta'; opener: Event; channel: TextKey['channel']; text: string }
);

/** A text that is open for a follower, and how much of it the follower has. */
export interface OpenText extends TextKey {
  opener: Event;
  offset: number;
}

/** Where a follower begins. */
export interface Checkpoint {
  seq: number;
  open: OpenText[];
}

/** The texts that an event opens, for a follower that has nothing of them. */
export function openTexts(opener: Event): OpenText[] {
  return textsOpenedBy(opener).map((key) => ({ ...key, opener, offset: 0 }));
}

/** One reader's place in a thread. All it holds is the last event it was told and an offset for each open text. */
export class Follower {
  readonly #feed: ThreadFeed;
  readonly #scope: CursorScope;
  readonly #run: Run | null;
  readonly #catchUp: CatchUpBudget;
  readonly #signal: AbortSignal;
  #seq: number;
  #open: OpenText[];
  /** Events that were read and not told yet, from `#next` on. */
  #events: readonly Event[] = [];
  #next = 0;
  /** What had been heard when they were read. */
  #version = -1;
  #isOver = false;
  /** What of the shared budget the delta takes that is on its way. */
  #reserved = 0;

  /** `run`: whose events alone are told; null: those of the whole thread. `signal` ends it. */
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
   * The next that there is to tell, as soon as there is; null: it is over. Asking for it says that the one before has left.
   * Throws NotFoundError when the thread is deleted.
   */
  async next(): Promise<FeedItem | null> {
    this.releaseBudget();
    while (!this.#signal.aborted && !this.#isOver) {
      const event = this.#skipOthers();
      // The row of a message that has ended has its text, too.
      const message = event && carriesMessage(event.type) ? await this.#feed.messageOf(event) : null;
      // What a text has grown to is told before whatever happened next, as those heard it who were there.
      const growth = this.#growth();
      const delta = growth instanceof Promise ? await growth : growth;
      if (delta) return delta;
      const told = event ? this.#deliverEvent(event, message) : await this.#wait();
      if (told) return told;
    }
    return null;
  }

  /** The next event that is to be told, of those that were read. */
  #skipOthers(): Event | undefined {
    for (;;) {
      const event = this.#events[this.#next];
      if (!event || !this.#run || event.runId === this.#run.id) return event;
      this.#seq = event.seq;
      this.#next += 1;
    }
  }

  /** What was told last has left, or never will. */
  releaseBudget(): void {
    this.#catchUp.release(this.#reserved);
    this.#reserved = 0;
  }

  /** Reads what there is; where there is nothing new, waits until something has been heard. */
  async #wait(): Promise<null> {
    const { version } = this.#feed;
    if (version === this.#version) {
      await this.#feed.changed(version, this.#signal);
      return null;
    }
    this.#version = version;
    const read = this.#feed.eventsAfter(this.#seq);
    this.#events = read instanceof Promise ? await read : read;
    this.#next = 0;
    if (this.#events.length === 0 && this.#feed.isGone) throw new NotFoundError(this.#scope.threadId);
    // There may be more than were read at once.
    if (this.#events.length > 0) this.#version = -1;
    return null;
  }

  #deliverEvent(event: Event, message: Message | null): FeedItem | null {
    this.#next += 1;
    this.#seq = event.seq;
    this.#open = [...this.#open.filter((text) => !endsText(event, text, text.opener)), ...openTexts(event)];
    this.#isOver = this.#isLast(event);
    // A message that has been removed since cannot be shown; its removal comes later in the log. What only opens a text
    // says nothing by itself.
    if ((carriesMessage(event.type) && !message) || eventKind(event.type).graphType === null) return null;
    const place = this.#position(event.at, event);
    return this.#feed.share(place.cursor, (): FeedItem => ({ kind: 'event', event, message, ...place }));
  }

  #isLast({ runId, type, value }: Event): boolean {
    return runId === this.#run?.id && type === 'RUN_STATUS_CHANGED' && isTerminal(value as Run['status']);
  }

  /** The next delta of a text that has grown, from the open text with that index on; null: none has. */
  #growth(from = 0): FeedItem | null | Promise<FeedItem | null> {
    for (const [index, text] of this.#open.entries()) {
      if (index < from) continue;
      const grown = this.#feed.textOf(text);
      if (typeof grown !== 'string')
        return grown.then((read) => this.#deliverGrowth(text, read) ?? this.#growth(index + 1));
      const told = this.#deliverGrowth(text, grown);
      if (told) return told;
    }
    return null;
  }

  #deliverGrowth(text: OpenText, grown: string): FeedItem | null {
    return grown.length > text.offset && !this.#signal.aborted ? this.#deliverDelta(text, grown) : null;
  }

  #deliverDelta(text: OpenText, grown: string): FeedItem {
    const { opener, channel, ownerId, offset } = text;
    this.#reserved = this.#catchUp.reserve(grown.length - offset);
    const end = endOfDelta(grown, offset, this.#reserved);
    text.offset = end;
    const place = this.#position(new Date(), opener);
    const tell = (): FeedItem => ({ kind: 'delta', opener, channel, text: grown.slice(offset, end), ...place });
    return this.#feed.share(`${place.cursor} ${ownerId} ${channel} ${offset}`, tell);
  }

  #position(at: Date, { runId, threadId }: Event) {
    const position = { seq: this.#seq, offsets: this.#open.map(({ offset }) => offset) };
    return { cursor: encodeCursor(this.#scope, position), at, runId, threadId };
  }
}
