import type { Database } from '../../db/client.ts';
import type { TextKey } from '../log/event-kinds.ts';
import { readTexts, textId } from '../log/growing-text.ts';

/**
 * How much is kept, so that texts that ended are there for followers who have not come to their end yet: these newest ones in any
 * case, and more of them while there are no more than so many, with no more than so many characters together. Texts that grow
 * are always kept.
 */
const keptTexts = 16;
const maxTexts = 2000;
const maxLength = 4_000_000;
/** How many deltas that come while a text is read are kept to be added to it. */
const maxMissed = 1000;

/** A delta of a text: where it begins, in UTF-16 code units, and what it says. */
interface ReceivedDelta {
  offset: number;
  text: string;
}

interface Growing {
  text: string;
  /** The text may have grown in ways that nobody told. */
  stale: boolean;
  loading: Promise<void> | null;
  /** Pieces that were heard while it was read. */
  missed: ReceivedDelta[];
  /** It has begun here, and not ended: it is known from what is heard, and nobody else's to forget. */
  isLive: boolean;
}

const known = (text: string, isLive: boolean): Growing => ({ text, stale: false, loading: null, missed: [], isLive });

/** Adds what a delta brings; one that does not follow shows that there is more to read. */
function addTo(growing: Growing, { offset, text }: ReceivedDelta): void {
  if (offset > growing.text.length) growing.stale = true;
  else growing.text += text.slice(growing.text.length - offset);
}

/** What this process knows of the growing texts of one thread: from what it hears, and from the database where that is not all. */
export class TextFeed {
  readonly #database: Database;
  readonly #workspaceId: string;
  readonly #texts = new Map<string, Growing>();

  constructor(database: Database, workspaceId: string) {
    this.#database = database;
    this.#workspaceId = workspaceId;
  }

  /** The text as far as it has grown; at once where that is known. */
  read(key: TextKey): string | Promise<string> {
    const growing = this.#texts.get(textId(key));
    return growing && !growing.stale && !growing.loading ? growing.text : this.#catchUp(key);
  }

  /** From here on the text is known from what is heard. */
  begin(key: TextKey): void {
    this.#keep(textId(key), known('', true));
  }

  /** The text is this, and whole. */
  set(key: TextKey, text: string): void {
    this.#keep(textId(key), known(text, false));
  }

  /** A delta has been heard. */
  append(key: TextKey, delta: ReceivedDelta): void {
    const growing = this.#texts.get(textId(key));
    if (!growing) return;
    if (!growing.loading) addTo(growing, delta);
    else if (growing.missed.length < maxMissed) growing.missed.push(delta);
    else growing.stale = true;
  }

  /** The text grows no more; its row has all of it. */
  complete(key: TextKey): void {
    const growing = this.#texts.get(textId(key));
    if (growing) growing.isLive = false;
  }

  forget(key: TextKey): void {
    this.#texts.delete(textId(key));
  }

  /** All texts may have grown in ways that nobody told. */
  markStale(): void {
    for (const growing of this.#texts.values()) growing.stale = true;
  }

  /** Texts of a step stand in its rows by now, and may have grown there; `areOver`: they grow no more. */
  markStepsStale({ areOver }: { areOver: boolean }): void {
    for (const [id, growing] of this.#texts) {
      if (id.endsWith(' TEXT')) continue;
      growing.stale = true;
      if (areOver) growing.isLive = false;
    }
  }

  /**
   * The text as it is no earlier than it is asked for. Reads it at most once for that: it may go on growing faster than it is
   * read.
   */
  async #catchUp(key: TextKey): Promise<string> {
    const id = textId(key);
    const growing = this.#texts.get(id) ?? { ...known('', false), stale: true };
    this.#keep(id, growing);
    // One that is being read already may have been read too early; whoever waits for the same may have begun anew after that.
    if (growing.loading) await growing.loading;
    if (growing.stale) {
      growing.loading ??= this.#load(key, growing).finally(() => {
        growing.loading = null;
      });
    }
    if (growing.loading) await growing.loading;
    return growing.text;
  }

  /** Keeps a text, and forgets those that were kept first where that is too much. */
  #keep(id: string, growing: Growing): void {
    this.#texts.set(id, growing);
    if (this.#texts.size <= keptTexts) return;
    let length = 0;
    for (const { text } of this.#texts.values()) length += text.length;
    const oldest = [...this.#texts].slice(0, -keptTexts).filter(([, { isLive }]) => !isLive);
    for (const [name, { text }] of oldest) {
      if (this.#texts.size <= maxTexts && length <= maxLength) return;
      this.#texts.delete(name);
      length -= text.length;
    }
  }

  async #load(key: TextKey, growing: Growing): Promise<void> {
    growing.stale = false;
    try {
      const texts = await readTexts(this.#database, this.#workspaceId, [key]);
      const text = texts.get(textId(key)) ?? '';
      if (text.length > growing.text.length) growing.text = text;
      for (const delta of growing.missed) addTo(growing, delta);
    } catch (error) {
      growing.stale = true;
      throw error;
    } finally {
      growing.missed = [];
    }
  }
}
