import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { type Bus, type TextChannel, threadTopic } from '../bus/bus.ts';
import type { Database } from '../db/client.ts';
import type { Services } from '../domain/context.ts';
import { storable, storeDeltas, type TextDelta, textId } from '../domain/log/growing-text.ts';
import type { ClaimedRun } from '../domain/run/lease.ts';
import type { Logger } from '../log.ts';

/** The growing texts of one run, as its executor writes them. */
export interface RunWriter {
  /** Adds to a text; followers see it as soon as it is stored. */
  append(ownerId: string, channel: TextChannel, text: string): void;
  /** Goes on with a text that another worker began. */
  resume(ownerId: string, channel: TextChannel, text: string): void;
  /** The texts as they stand, by `textId`. */
  texts(): Map<string, string>;
  /** Resolves when nothing of this run is on its way to the database any more; `store: false` drops what had not left. */
  drain(options: { store: boolean }): Promise<void>;
}

/**
 * Writes the growing texts of all runs that this process executes. What has come in while a statement was under way
 * goes with the next one, so the number of statements follows the database, not the number of tokens or runs. A delta is
 * told to followers only after it is stored: what a client has seen can be read again, whoever dies.
 */
export class DeltaWriter {
  readonly #database: Database;
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #retryMs: number;
  /** Pieces not yet on their way, by run and text: neighbours are joined. */
  readonly #pending = new Map<string, Map<string, TextDelta>>();
  readonly #onLost = new Map<string, () => void>();
  #flushing: Promise<void> | null = null;
  /** The batch that is on its way. */
  #storing: Promise<void> | null = null;

  constructor({ database, bus, log, timing }: Pick<Services, 'database' | 'bus' | 'log' | 'timing'>) {
    this.#database = database;
    this.#bus = bus;
    this.#log = log;
    this.#retryMs = timing.run.deltaRetryMs;
  }

  /** For a run that this process has claimed. `onLost` is called when it turns out to be another's by now. */
  open(run: ClaimedRun, onLost: () => void): RunWriter {
    const texts = new Map<string, string>();
    const held = new Map<string, string>();
    this.#onLost.set(run.id, onLost);
    const append = (ownerId: string, channel: TextChannel, added: string) => {
      const id = textId({ ownerId, channel });
      const [text, rest] = storableNow(`${held.get(id) ?? ''}${added}`);
      held.set(id, rest);
      if (text === '') return;
      const before = texts.get(id) ?? '';
      texts.set(id, before + text);
      const { workspaceId, threadId, fence } = run;
      this.#add({ workspaceId, threadId, runId: run.id, fence, ownerId, channel, offset: before.length, text });
    };
    const drain = async ({ store }: { store: boolean }) => {
      if (!store) this.#pending.delete(run.id);
      // Not until nobody has anything to store any more: others may go on for ever.
      while (this.#pending.has(run.id)) await (this.#storing ?? turn());
      await this.#storing;
    };
    const resume = (ownerId: string, channel: TextChannel, text: string) => {
      texts.set(textId({ ownerId, channel }), text);
    };
    return { append, resume, texts: () => texts, drain };
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
    const neighbour = ofRun.get(id);
    if (neighbour) neighbour.text += delta.text;
    else ofRun.set(id, delta);
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = null;
    });
  }

  async #flush(): Promise<void> {
    while (this.#pending.size > 0) {
      // What a provider has sent already comes in first: one statement for all of it.
      await turn();
      const deltas = [...this.#pending.values()].flatMap((ofRun) => [...ofRun.values()]);
      this.#pending.clear();
      this.#storing = this.#storeAndPublish(deltas);
      await this.#storing;
      this.#storing = null;
    }
  }

  async #storeAndPublish(deltas: TextDelta[]): Promise<void> {
    const live = await this.#store(deltas);
    for (const delta of deltas) {
      if (live.has(delta.runId)) this.#publish(delta);
      else this.#onLost.get(delta.runId)?.();
    }
  }

  async #store(deltas: TextDelta[]): Promise<Set<string>> {
    for (;;) {
      const open = deltas.filter(({ runId }) => this.#onLost.has(runId));
      if (open.length === 0) return new Set();
      try {
        return await storeDeltas(this.#database, open);
      } catch (error) {
        this.#log.error({ err: error, deltas: open.length }, 'deltas could not be stored; trying again');
        await delay(this.#retryMs);
      }
    }
  }

  #publish({ threadId, ownerId, channel, offset, text }: TextDelta): void {
    this.#bus.publish(threadTopic(threadId), { kind: 'delta', ownerId, channel, offset, text });
  }
}

/** What of a text can be stored now, and half a surrogate pair that has to wait for its other half. */
function storableNow(text: string): [string, string] {
  const last = text.charCodeAt(text.length - 1);
  const isHalf = last >= 0xd800 && last <= 0xdbff;
  const whole = isHalf ? text.slice(0, -1) : text;
  return [storable(whole), isHalf ? text.slice(-1) : ''];
}
