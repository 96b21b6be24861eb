import type { Database } from '../../db/client.ts';
import type { TextKey } from '../log/event-kinds.ts';
import { readTexts, textId } from '../log/growing-text.ts';

/**
 * Texts that ended are kept for followers that lag: the newest `keptTexts` always, others within the two limits below.
 * GrowingText texts are always kept.
 */
const keptTexts = 16;
const maxTexts = 2000;
/** The length of all kept texts together, in UTF-16 code units. */
const maxLength = 4_000_000;
/** The deltas that are kept while a text is loading. */
const maxMissed = 1000;

interface ReceivedDelta {
  /** UTF-16 code units from the start of the text. */
  offset: number;
  text: string;
}

interface GrowingText {
  text: string;
  /** Some deltas may not have been received. */
  isStale: boolean;
  loading: Promise<void> | null;
  /** Deltas that were received while the text was loading. */
  missed: ReceivedDelta[];
  /**
   * The text started while this feed was subscribed, and has not ended: it is known without a read and never dropped.
   */
  isLive: boolean;
}

const known = (text: string, isLive: boolean): GrowingText => ({
  text,
  isStale: false,
  loading: null,
  missed: [],
  isLive,
});

/** Appends the new part of a delta. A gap before the delta makes the text stale. */
function addTo(growing: GrowingText, { offset, text }: ReceivedDelta): void {
  if (offset > growing.text.length) growing.isStale = true;
  else growing.text += text.slice(growing.text.length - offset);
}

/**
 * What one process knows of the growing texts of one thread: from received deltas, and from the database when some are
 * missing.
 */
export class TextFeed {
  readonly #database: Database;
  readonly #workspaceId: string;
  readonly #texts = new Map<string, GrowingText>();

  constructor(database: Database, workspaceId: string) {
    this.#database = database;
    this.#workspaceId = workspaceId;
  }

  /** The current text; synchronous when it is known. */
  read(key: TextKey): string | Promise<string> {
    const growing = this.#texts.get(textId(key));
    return growing && !growing.isStale && !growing.loading ? growing.text : this.#catchUp(key);
  }

  /** The text starts now: it is known from received deltas. */
  begin(key: TextKey): void {
    this.#keep(textId(key), known('', true));
  }

  /** The text has ended, with this content. */
  set(key: TextKey, text: string): void {
    this.#keep(textId(key), known(text, false));
  }

  /** A delta was received. */
  append(key: TextKey, delta: ReceivedDelta): void {
    const growing = this.#texts.get(textId(key));
    if (!growing) return;
    if (!growing.loading) addTo(growing, delta);
    else if (growing.missed.length < maxMissed) growing.missed.push(delta);
    else growing.isStale = true;
  }

  /** The text has ended; its row holds all of it. */
  complete(key: TextKey): void {
    const growing = this.#texts.get(textId(key));
    if (growing) growing.isLive = false;
  }

  forget(key: TextKey): void {
    this.#texts.delete(textId(key));
  }

  /** Deltas of any text may not have been received. */
  markStale(): void {
    for (const growing of this.#texts.values()) growing.isStale = true;
  }

  /** The texts of steps are stored in rows now, which may hold more than was received; `areOver`: they have ended. */
  markStepsStale({ areOver }: { areOver: boolean }): void {
    for (const [id, growing] of this.#texts) {
      if (id.endsWith(' TEXT')) continue;
      growing.isStale = true;
      if (areOver) growing.isLive = false;
    }
  }

  /**
   * The text at a moment after the call. Loads it at most once, even when it grows faster than it can be loaded.
   */
  async #catchUp(key: TextKey): Promise<string> {
    const id = textId(key);
    const growing = this.#texts.get(id) ?? { ...known('', false), isStale: true };
    this.#keep(id, growing);
    // A load in progress may have read before the call. Another follower that waited for it may have started the next
    // load.
    if (growing.loading) await growing.loading;
    if (growing.isStale) {
      growing.loading ??= this.#load(key, growing).finally(() => {
        growing.loading = null;
      });
    }
    if (growing.loading) await growing.loading;
    return growing.text;
  }

  /** Stores a text and drops the oldest ones that exceed the limits. */
  #keep(id: string, growing: GrowingText): void {
    this.#texts.set(id, growing);
    if (this.#texts.size <= keptTexts) return;
    let length = 0;
    for (const { text } of this.#texts.values()) length += text.length;
    const oldest = [...this.#texts].slice(0, -keptTexts).filter(([, { isLive }]) => !isLive);
    for (const [oldId, { text }] of oldest) {
      if (this.#texts.size <= maxTexts && length <= maxLength) return;
      this.#texts.delete(oldId);
      length -= text.length;
    }
  }

  async #load(key: TextKey, growing: GrowingText): Promise<void> {
    growing.isStale = false;
    try {
      const texts = await readTexts(this.#database, this.#workspaceId, [key]);
      const text = texts.get(textId(key)) ?? '';
      if (text.length > growing.text.length) growing.text = text;
      for (const delta of growing.missed) addTo(growing, delta);
    } catch (error) {
      growing.isStale = true;
      throw error;
    } finally {
      growing.missed = [];
    }
  }
}
