import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import type { Bus, BusListener, BusMessage } from './bus.ts';
import type { Link, LinkDriver, LinkListener } from './link.ts';
import { MemoryBus } from './memory.ts';
import { everyTopic, Outbox } from './outbox.ts';
import { readPayload } from './payload.ts';

const maxWaiting = 10_000;

/** The intervals of a remote bus, in milliseconds. */
export interface BusTiming {
  /** How often the link is pinged. */
  pingMs: number;
  /** The first wait before a lost link is opened again; it doubles up to `maxRetryMs`. */
  firstRetryMs: number;
  maxRetryMs: number;
}

/**
 * The bus of several instances, over a link. Listeners of this process hear at once; what is for others is sent in one
 * go at a time, and what comes in meanwhile goes with the next. Whoever was cut off says so when it is back: its own
 * listeners, and those of all others, may have missed something.
 */
export class RemoteBus implements Bus {
  readonly #driver: LinkDriver;
  readonly #log: Logger;
  readonly #timing: BusTiming;
  readonly #id = randomUUID();
  readonly #local = new MemoryBus();
  readonly #outbox: Outbox;
  readonly #closing = new AbortController();
  readonly #listeners = new Map<string, number>();
  /** The channels that the link hears, and those that it is just told to hear, or not to hear any more. */
  #subscribed = new Set<string>();
  #syncing = new Set<string>();
  #link: Link | null = null;
  #sending: Promise<void> | null = null;
  #reconnecting: Promise<void> | null = null;
  #pingTimer: NodeJS.Timeout | null = null;

  private constructor(driver: LinkDriver, log: Logger, timing: BusTiming) {
    this.#driver = driver;
    this.#log = log;
    this.#timing = timing;
    this.#outbox = new Outbox(driver, maxWaiting);
  }

  /** Connects and listens. Throws when the other end cannot be reached. */
  static async open(driver: LinkDriver, log: Logger, timing: BusTiming): Promise<RemoteBus> {
    const bus = new RemoteBus(driver, log, timing);
    await bus.#connect();
    bus.#pingTimer = setInterval(() => void bus.#ping(), timing.pingMs).unref();
    return bus;
  }

  /** Whether others can be heard at the moment. */
  get isConnected(): boolean {
    return this.#link !== null;
  }

  publish(topic: string, message: BusMessage): void {
    this.#local.publish(topic, message);
    // Nobody can be told now: all will be told then that they may have missed something.
    if (!this.#link) return;
    this.#outbox.add(topic, message);
    this.#send();
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
    if (this.#pingTimer) clearInterval(this.#pingTimer);
    await this.#sending;
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
    // Who has come, or gone, meanwhile.
    for (const topic of new Set([...topics, ...this.#listeners.keys()])) this.#syncSubscription(topic);
  }

  /** Sees to it that what somebody here listens to is heard, and nothing else. */
  #syncSubscription(topic: string): void {
    const link = this.#link;
    if (!link?.listen || this.#syncing.has(topic) || this.#isInSync(topic)) return;
    this.#syncing.add(topic);
    this.#applySubscription(link, topic)
      .catch((error: Error) => this.#onLinkLost(link, error))
      .finally(() => {
        if (this.#link === link) this.#syncing.delete(topic);
      });
  }

  #isInSync(topic: string): boolean {
    return this.#subscribed.has(topic) === (topic === everyTopic || this.#listeners.has(topic));
  }

  async #applySubscription(link: Link, topic: string): Promise<void> {
    const channels = [this.#driver.channelOf(topic)];
    while (this.#link === link && !this.#isInSync(topic)) {
      if (this.#subscribed.delete(topic)) {
        await link.unlisten?.(channels);
        continue;
      }
      await link.listen?.(channels);
      this.#subscribed.add(topic);
      // What was said before the channel was heard is missed.
      this.#local.publish(topic, { kind: 'gap' });
    }
  }

  /** The link is gone: gets another one, for as long as it takes. */
  #onLinkLost(link: Link, error: Error): void {
    if (this.#link !== link) return;
    this.#link = null;
    this.#log.warn({ err: error }, 'the bus lost its connection');
    void link.close();
    this.#reconnecting ??= this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { firstRetryMs, maxRetryMs } = this.#timing;
    for (let wait = firstRetryMs; !this.#link && !this.#closing.signal.aborted; wait = Math.min(wait * 2, maxRetryMs)) {
      try {
        await delay(wait * (0.5 + Math.random() / 2), undefined, { signal: this.#closing.signal });
        await this.#connect();
      } catch (error) {
        if (!this.#closing.signal.aborted) this.#log.warn({ err: error }, 'the bus cannot connect; trying again');
      }
    }
    this.#reconnecting = null;
    if (!this.#link) return;
    this.#log.info('the bus is connected again');
    this.#local.publishToAll({ kind: 'gap' });
    this.#outbox.replaceByGap();
    this.#send();
  }

  async #ping(): Promise<void> {
    const link = this.#link;
    await link?.ping().catch((error: Error) => this.#onLinkLost(link, error));
  }

  #send(): void {
    this.#sending ??= this.#flush();
  }

  async #flush(): Promise<void> {
    // What is said in the same turn goes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#link && !this.#outbox.isEmpty) {
      const link = this.#link;
      const parcels = this.#outbox.drain(this.#id);
      await link.send(parcels).catch((error: Error) => this.#onLinkLost(link, error));
    }
    // In the same moment in which nothing more was found: what is said in the next one is sent anew.
    this.#sending = null;
  }

  #onPayload(payload: string): void {
    const said = readPayload(payload);
    if (said === null) {
      // Others may send on these channels, too, and so may another version of this server.
      this.#log.warn('the bus heard what it does not understand');
      this.#local.publishToAll({ kind: 'gap' });
      return;
    }
    const [sender, posted] = said;
    if (sender === this.#id) return;
    for (const [topic, message] of posted) {
      if (topic === everyTopic) this.#local.publishToAll(message);
      else this.#local.publish(topic, message);
    }
  }
}
