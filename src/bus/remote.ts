import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { coalesce } from '../async/coalesce.ts';
import { backoffMs, retry } from '../async/retry.ts';
import type { Logger } from '../log.ts';
import type { Bus, BusListener, BusMessage } from './bus.ts';
import type { Link, LinkDriver, LinkListener } from './link.ts';
import { MemoryBus } from './memory.ts';
import { everyTopic, Outbox } from './outbox.ts';
import { readPayload } from './payload.ts';

/** Messages in the outbox beyond which they are replaced by a gap. */
const maxWaiting = 10_000;

/** The shortest time between two gaps for payloads that cannot be read, in milliseconds. */
const unknownGapMs = 1000;
/** The shortest time between two log lines about such payloads, and about lost links, in milliseconds. */
const faultLogMs = 60_000;

/** The intervals of a remote bus, in milliseconds. */
export interface BusTiming {
  /** How often the link is pinged. */
  pingMs: number;
  /** The first wait before a lost link is opened again; it doubles up to `maxRetryMs`. */
  firstRetryMs: number;
  maxRetryMs: number;
}

/**
 * The bus of several processes, over a link. Listeners of this process receive a message at once. Messages for other
 * processes are sent in batches, one batch at a time. After a reconnect, a `gap` is sent to the listeners of all processes.
 */
export class RemoteBus implements Bus {
  readonly #driver: LinkDriver;
  readonly #log: Logger;
  readonly #timing: BusTiming;
  readonly #id = randomUUID();
  readonly #local = new MemoryBus();
  readonly #outbox: Outbox;
  readonly #closing = new AbortController();
  /** The number of local listeners of each topic. */
  readonly #listeners = new Map<string, number>();
  /** The topics whose channels the link has subscribed to. */
  #subscribed = new Set<string>();
  /** The topics whose subscription is being changed. */
  #syncing = new Set<string>();
  #link: Link | null = null;
  readonly #flush = coalesce(() => this.#sendOutbox());
  #reconnecting: Promise<void> | null = null;
  #pingTimer: NodeJS.Timeout | null = null;
  #lostAt = Number.NEGATIVE_INFINITY;
  #isLossLogged = false;
  /** Payloads that could not be read since the last log line. */
  #unknown = 0;
  #unknownGap: NodeJS.Timeout | null = null;
  #isGapDue = false;
  #unknownLog: NodeJS.Timeout | null = null;

  private constructor(driver: LinkDriver, log: Logger, timing: BusTiming) {
    this.#driver = driver;
    this.#log = log;
    this.#timing = timing;
    this.#outbox = new Outbox(driver, maxWaiting);
  }

  /** Connects and subscribes. Throws when the other end cannot be reached. */
  static async open(driver: LinkDriver, log: Logger, timing: BusTiming): Promise<RemoteBus> {
    const bus = new RemoteBus(driver, log, timing);
    await bus.#connect();
    bus.#pingTimer = setInterval(() => void bus.#ping(), timing.pingMs).unref();
    return bus;
  }

  /** Whether the link is open. */
  get isConnected(): boolean {
    return this.#link !== null;
  }

  publish(topic: string, message: BusMessage): void {
    this.#local.publish(topic, message);
    // Without a link the message is dropped: the gap after the reconnect covers it.
    if (!this.#link) return;
    this.#outbox.add(topic, message);
    void this.#flush();
  }

  subscribe(topic: string, listener: BusListener): () => void {
    const unsubscribe = this.#local.subscribe(topic, listener);
    this.#listeners.set(topic, (this.#listeners.get(topic) ?? 0) + 1);
    this.#syncSubscription(topic);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      unsubscribe();
      const left = (this.#listeners.get(topic) ?? 0) - 1;
      if (left > 0) this.#listeners.set(topic, left);
      else this.#listeners.delete(topic);
      this.#syncSubscription(topic);
    };
  }

  async close(): Promise<void> {
    for (const timer of [this.#pingTimer, this.#unknownGap, this.#unknownLog]) if (timer) clearTimeout(timer);
    await this.#flush();
    this.#closing.abort();
    await this.#reconnecting;
    const link = this.#link;
    this.#link = null;
    await link?.close();
    await this.#local.close();
  }

  async #connect(): Promise<void> {
    const opened: { link?: Link; lost?: Error } = {};
    const listener: LinkListener = {
      onPayload: (payload) => this.#onPayload(payload),
      onLost: (error) => {
        opened.lost ??= error;
        if (opened.link) this.#onLinkLost(opened.link, error);
      },
    };
    const link = await this.#driver.open(listener);
    opened.link = link;
    const topics = [everyTopic, ...this.#listeners.keys()];
    try {
      await link.listen?.(topics.map((topic) => this.#driver.channelOf(topic)));
      if (opened.lost) throw opened.lost;
    } catch (error) {
      await link.close();
      throw error;
    }
    this.#subscribed = new Set(topics);
    this.#syncing = new Set();
    this.#link = link;
    // Listeners may have been added or removed meanwhile.
    for (const topic of new Set([...topics, ...this.#listeners.keys()])) this.#syncSubscription(topic);
  }

  /**
   * Brings the link's subscription to a topic in line with the local listeners. Listeners come and go while a command is on
   * its way, so one loop for each topic repeats until wanted and subscribed agree:
   *
   *     wanted  subscribed   command                  then
   *     ------  ----------   -----------------------  --------------------------------------------
   *     yes     no           link.listen(channel)     subscribed; gap, since earlier messages are missed
   *     no      yes          link.unlisten(channel)   not subscribed, already when the command is sent
   *     equal                none                     the loop ends
   *
   * A command that fails means that the link is lost; a new link starts with the topics that are wanted then.
   */
  #syncSubscription(topic: string): void {
    const link = this.#link;
    const needsLoop = link?.listen && !this.#syncing.has(topic) && !this.#isInSync(topic);
    if (!link || !needsLoop) return;
    this.#syncing.add(topic);
    this.#runSync(link, topic)
      .catch((error: Error) => this.#onLinkLost(link, error))
      .finally(() => {
        // A new link has a set of its own.
        if (this.#link === link) this.#syncing.delete(topic);
      });
  }

  async #runSync(link: Link, topic: string): Promise<void> {
    while (this.#link === link && !this.#isInSync(topic)) {
      if (this.#isWanted(topic)) await this.#subscribeOn(link, topic);
      else await this.#unsubscribeOn(link, topic);
    }
  }

  #isWanted(topic: string): boolean {
    return topic === everyTopic || this.#listeners.has(topic);
  }

  #isInSync(topic: string): boolean {
    return this.#subscribed.has(topic) === this.#isWanted(topic);
  }

  async #subscribeOn(link: Link, topic: string): Promise<void> {
    await link.listen?.([this.#driver.channelOf(topic)]);
    if (this.#link !== link) return;
    this.#subscribed.add(topic);
    this.#local.publish(topic, { kind: 'gap' });
  }

  async #unsubscribeOn(link: Link, topic: string): Promise<void> {
    this.#subscribed.delete(topic);
    await link.unlisten?.([this.#driver.channelOf(topic)]);
  }

  #onLinkLost(link: Link, error: Error): void {
    if (this.#link !== link) return;
    this.#link = null;
    const sinceLast = performance.now() - this.#lostAt;
    this.#lostAt = performance.now();
    // The other end may close every link at once, or send garbage on it.
    this.#isLossLogged = sinceLast > faultLogMs;
    this.#log[this.#isLossLogged ? 'warn' : 'debug']({ cause: error }, 'bus connection lost');
    void link.close();
    this.#reconnecting ??= this.#reconnect();
  }

  /** Connects again until it succeeds or the bus is closed. */
  async #reconnect(): Promise<void> {
    const { signal } = this.#closing;
    const backoff = { firstMs: this.#timing.firstRetryMs, maxMs: this.#timing.maxRetryMs };
    const wait = (error: unknown, failed: number) => {
      this.#log.debug({ err: error }, 'bus reconnection failed');
      return backoffMs(failed + 1, backoff);
    };
    while (!this.#link && !signal.aborted) {
      await delay(backoffMs(1, backoff), undefined, { signal }).catch(() => {});
      // It rejects only when the bus is closed.
      await retry(() => this.#connect(), { wait, signal }).catch(() => {});
    }
    this.#reconnecting = null;
    if (!this.#link) return;
    const outageMs = Math.round(performance.now() - this.#lostAt);
    this.#log[this.#isLossLogged ? 'info' : 'debug']({ outageMs }, 'bus reconnected');
    this.#local.publishToAll({ kind: 'gap' });
    this.#outbox.replaceByGap();
    void this.#flush();
  }

  async #ping(): Promise<void> {
    const link = this.#link;
    await link?.ping().catch((error: Error) => this.#onLinkLost(link, error));
  }

  async #sendOutbox(): Promise<void> {
    // Messages of the same turn of the event loop go in one batch.
    await new Promise((resolve) => setImmediate(resolve));
    const link = this.#link;
    if (!link || this.#outbox.isEmpty) return;
    await link.send(this.#outbox.drain(this.#id)).catch((error: Error) => this.#onLinkLost(link, error));
  }

  #onPayload(payload: string): void {
    const received = payload.length > this.#driver.maxPayloadBytes ? null : readPayload(payload);
    if (received === null) {
      this.#onUnknown();
      return;
    }
    const [sender, messages] = received;
    if (sender === this.#id) return;
    for (const [topic, message] of messages) {
      if (topic === everyTopic) this.#local.publishToAll(message);
      else this.#local.publish(topic, message);
    }
  }

  /**
   * Another program may use the channel, or another version of this server, or the other end sends garbage. A flood of it costs one
   * gap a second and one log line a minute.
   */
  #onUnknown(): void {
    this.#unknown += 1;
    if (this.#unknownGap) this.#isGapDue = true;
    else this.#publishGap();
    if (this.#unknownLog) return;
    this.#log.warn({ payloads: this.#unknown }, 'bus received unknown payloads');
    this.#unknown = 0;
    this.#unknownLog = setTimeout(() => {
      this.#unknownLog = null;
      if (this.#unknown > 0) this.#onUnknown();
    }, faultLogMs).unref();
  }

  #publishGap(): void {
    this.#isGapDue = false;
    this.#local.publishToAll({ kind: 'gap' });
    this.#unknownGap = setTimeout(() => {
      this.#unknownGap = null;
      if (this.#isGapDue) this.#publishGap();
    }, unknownGapMs).unref();
  }
}
