import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { coalesce } from '../async/coalesce.ts';
import { type Bus, type TextChannel, threadTopic } from '../bus/bus.ts';
import type { Database } from '../db/client.ts';
import type { Services } from '../domain/context.ts';
import { storable, storeDeltas, type TextDelta, textId } from '../domain/log/growing-text.ts';
import type { ClaimedRun } from '../domain/run/lease.ts';
import type { Logger } from '../log.ts';

/** The characters of deltas that one statement stores, and the deltas of one more run. A longer statement holds the event loop. */
const batchLength = 500_000;

/** Writes the growing texts of one run. */
export interface RunWriter {
  /** Appends to a text. Returns at once; subscribers receive the delta as soon as it is persisted. */
  append(ownerId: string, channel: TextChannel, text: string): void;
  /** Sets the present content of a text that another worker began, without a delta. */
  resume(ownerId: string, channel: TextChannel, text: string): void;
  /** The current texts by `textId`, including what is not persisted yet. */
  texts(): Map<string, string>;
  /** Forgets all texts: they are stored in their rows. */
  reset(): void;
  /** Resolves when no delta of this run is being persisted. `store: false` drops the deltas that still wait. */
  drain(options: { store: boolean }): Promise<void>;
}

/**
 * Writes the growing texts of all runs that this process executes, in batches. A delta passes four stations in this order:
 *
 * 1. `append` adds it to the pending deltas, joined with its predecessor of the same text.
 * 2. A flush takes the pending deltas and persists them with one statement, under the fences of their runs. Deltas that
 *    arrive meanwhile go with the next flush, so the number of statements depends on the database, not on tokens or runs.
 * 3. Only then the deltas are published: what a subscriber has received can always be read again.
 * 4. A delta whose fence has passed is not published; its run is reported lost (`onLost`).
 *
 * A flush that the database refuses is repeated until it succeeds or its runs are closed.
 */
export class DeltaWriter {
  readonly #database: Database;
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #retryMs: number;
  /** The deltas that wait for a flush, by run and text. */
  readonly #pending = new Map<string, Map<string, TextDelta>>();
  readonly #onLost = new Map<string, () => void>();
  readonly #flush = coalesce(() => this.#flushPending());
  /** The batch that is being persisted. */
  #storing: Promise<void> | null = null;

  constructor({ database, bus, log, timing }: Pick<Services, 'database' | 'bus' | 'log' | 'timing'>) {
    this.#database = database;
    this.#bus = bus;
    this.#log = log;
    this.#retryMs = timing.run.deltaRetryMs;
  }

  /** Returns a writer for a claimed run. `onLost` is called when another worker has claimed the run. */
  open(run: ClaimedRun, onLost: () => void): RunWriter {
    const texts = new Map<string, string>();
    const halves = new Map<string, string>();
    this.#onLost.set(run.id, onLost);
    const append = (ownerId: string, channel: TextChannel, added: string) => {
      const id = textId({ ownerId, channel });
      const [text, half] = storableNow(`${halves.get(id) ?? ''}${added}`);
      halves.set(id, half);
      if (text === '') return;
      const before = texts.get(id) ?? '';
      texts.set(id, before + text);
      const { workspaceId, threadId, fence } = run;
      this.#add({ workspaceId, threadId, runId: run.id, fence, ownerId, channel, offset: before.length, text });
    };
    const drain = async ({ store }: { store: boolean }) => {
      if (!store) this.#pending.delete(run.id);
      // Waits only for batches with deltas of this run: those of other runs may follow one another without end.
      while (this.#pending.has(run.id)) await (this.#storing ?? turn());
      await this.#storing;
    };
    const resume = (ownerId: string, channel: TextChannel, text: string) => {
      texts.set(textId({ ownerId, channel }), text);
    };
    const reset = () => {
      texts.clear();
      halves.clear();
    };
    return { append, resume, texts: () => texts, reset, drain };
  }

  /** Forgets a run that this process no longer executes. */
  close(runId: string): void {
    this.#pending.delete(runId);
    this.#onLost.delete(runId);
  }

  #add(delta: TextDelta): void {
    const ofRun = this.#pending.get(delta.runId) ?? new Map<string, TextDelta>();
    this.#pending.set(delta.runId, ofRun);
    const id = textId(delta);
    const predecessor = ofRun.get(id);
    if (predecessor) predecessor.text += delta.text;
    else {
      ofRun.set(id, delta);
      void this.#flush();
    }
  }

  async #flushPending(): Promise<void> {
    // Lets everything in that a provider has already sent: one statement for all of it.
    await turn();
    if (this.#pending.size === 0) return;
    this.#storing = this.#storeAndPublish(this.#takeBatch());
    await this.#storing;
    this.#storing = null;
    if (this.#pending.size > 0) void this.#flush();
  }

  /** Removes and returns pending deltas, run by run, until they have as many characters as one statement should. */
  #takeBatch(): TextDelta[] {
    const deltas: TextDelta[] = [];
    let length = 0;
    for (const [runId, ofRun] of this.#pending) {
      if (length >= batchLength) break;
      this.#pending.delete(runId);
      for (const delta of ofRun.values()) {
        deltas.push(delta);
        length += delta.text.length;
      }
    }
    return deltas;
  }

  async #storeAndPublish(deltas: TextDelta[]): Promise<void> {
    const live = await this.#store(deltas);
    for (const delta of deltas) {
      if (live.has(delta.runId)) this.#publish(delta);
      else this.#onLost.get(delta.runId)?.();
    }
  }

  /** Persists deltas. Returns the ids of the runs that this process still holds. */
  async #store(deltas: TextDelta[]): Promise<Set<string>> {
    for (;;) {
      const open = deltas.filter(({ runId }) => this.#onLost.has(runId));
      if (open.length === 0) return new Set();
      try {
        return await storeDeltas(this.#database, open);
      } catch (error) {
        this.#log.error({ err: error, deltas: open.length }, 'delta storage failed');
        await delay(this.#retryMs);
      }
    }
  }

  #publish({ threadId, ownerId, channel, offset, text }: TextDelta): void {
    this.#bus.publish(threadTopic(threadId), { kind: 'delta', ownerId, channel, offset, text });
  }
}

/** Splits off a trailing high surrogate, which must wait for its other half: [what can be stored now, the half]. */
function storableNow(text: string): [string, string] {
  const last = text.charCodeAt(text.length - 1);
  const isHalf = last >= 0xd800 && last <= 0xdbff;
  const whole = isHalf ? text.slice(0, -1) : text;
  return [storable(whole), isHalf ? text.slice(-1) : ''];
}
