import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { z } from 'zod';
import type { Logger } from '../log.ts';
import type { Bus, BusListener, BusMessage } from './bus.ts';
import { MemoryBus } from './memory.ts';
import { everyTopic, Outbox, type Posted } from './outbox.ts';

const channel = 'assistant_graph';
/** PostgreSQL takes payloads of up to 7999 bytes: https://www.postgresql.org/docs/current/sql-notify.html */
const maxPayloadBytes = 7900;
const maxWaiting = 10_000;
/** How often the connection is asked whether it is still there. */
const probeEveryMs = 5000;
/** A connection that is only half there answers nothing, and nothing says so: whatever takes longer has failed. */
const queryTimeoutMs = 5000;
const firstRetryMs = 100;
const maxRetryMs = 5000;

/**
 * The bus of instances that share a PostgreSQL, by NOTIFY and LISTEN on one connection. Listeners of this process hear at
 * once; what is for others is sent with one statement at a time, and what comes in meanwhile goes with the next. Whoever
 * was cut off says so when it is back: its own listeners, and those of all others, may have missed something.
 */
export class PostgresBus implements Bus {
  readonly #url: string;
  readonly #log: Logger;
  readonly #id = randomUUID();
  readonly #local = new MemoryBus();
  readonly #outbox = new Outbox(maxPayloadBytes, maxWaiting);
  readonly #closing = new AbortController();
  #client: pg.Client | null = null;
  #sending: Promise<void> | null = null;
  #keeping: Promise<void> | null = null;
  #probe: NodeJS.Timeout | null = null;

  private constructor(url: string, log: Logger) {
    this.#url = url;
    this.#log = log;
  }

  /** Connects and listens. Throws when the database cannot be reached. */
  static async open(url: string, log: Logger): Promise<PostgresBus> {
    const bus = new PostgresBus(url, log);
    await bus.#connect();
    bus.#probe = setInterval(() => void bus.#ask(), probeEveryMs).unref();
    return bus;
  }

  publish(topic: string, message: BusMessage): void {
    this.#local.publish(topic, message);
    this.#outbox.add(topic, message);
    this.#send();
  }

  subscribe(topic: string, listener: BusListener): () => void {
    return this.#local.subscribe(topic, listener);
  }

  async close(): Promise<void> {
    if (this.#probe) clearInterval(this.#probe);
    await this.#sending;
    this.#closing.abort();
    await this.#keeping;
    const client = this.#client;
    this.#client = null;
    await client?.end();
    await this.#local.close();
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      query_timeout: queryTimeoutMs,
      application_name: 'assistant-graph bus',
    });
    client.on('notification', ({ payload }) => this.#hear(payload ?? ''));
    client.on('error', (error) => this.#lose(client, error));
    client.on('end', () => this.#lose(client, new Error('the connection was closed')));
    try {
      await client.connect();
      await client.query(`LISTEN ${channel}`);
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
    this.#client = client;
  }

  /** The connection is gone: gets another one, for as long as it takes. */
  #lose(client: pg.Client, error: Error): void {
    if (this.#client !== client) return;
    this.#client = null;
    this.#log.warn({ err: error }, 'the bus lost its connection');
    client.end().catch(() => {});
    this.#keeping ??= this.#reconnect().finally(() => {
      this.#keeping = null;
    });
  }

  async #reconnect(): Promise<void> {
    for (let wait = firstRetryMs; !this.#closing.signal.aborted; wait = Math.min(wait * 2, maxRetryMs)) {
      try {
        await delay(wait * (0.5 + Math.random() / 2), undefined, { signal: this.#closing.signal });
        await this.#connect();
        this.#log.info('the bus is connected again');
        this.#local.publishToAll({ kind: 'gap' });
        this.#outbox.replaceByGap();
        this.#send();
        return;
      } catch (error) {
        if (!this.#closing.signal.aborted) this.#log.warn({ err: error }, 'the bus cannot connect; trying again');
      }
    }
  }

  async #ask(): Promise<void> {
    const client = this.#client;
    await client?.query('SELECT 1').catch((error: Error) => this.#lose(client, error));
  }

  #send(): void {
    this.#sending ??= this.#flush().finally(() => {
      this.#sending = null;
    });
  }

  async #flush(): Promise<void> {
    // What is said in the same turn goes together.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#client && !this.#outbox.isEmpty) {
      const client = this.#client;
      const payloads = this.#outbox.take(this.#id);
      const sql = { name: 'notify', text: 'SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload' };
      try {
        await client.query(sql, [channel, payloads]);
      } catch (error) {
        this.#lose(client, error as Error);
      }
    }
  }

  #hear(payload: string): void {
    const posted = readPayload(payload);
    if (posted === null) {
      // Anybody who may connect to the database can notify, and so can another version of this server.
      this.#log.warn('the bus heard what it does not understand');
      this.#local.publishToAll({ kind: 'gap' });
      return;
    }
    const [sender, entries] = posted;
    if (sender === this.#id) return;
    for (const [topic, message] of entries) {
      if (topic === everyTopic) this.#local.publishToAll(message);
      else this.#local.publish(topic, message);
    }
  }
}

const text = z.string();
const entry = z.looseObject({ seq: z.int(), type: text, at: text });
const said = z.tuple([
  text,
  z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('events'), seq: z.int(), entries: z.array(entry).optional() }),
    z.object({
      kind: z.literal('piece'),
      ownerId: text,
      channel: z.enum(['TEXT', 'REASONING', 'ARGUMENTS', 'OUTPUT']),
      offset: z.int(),
      text,
    }),
    z.object({ kind: z.literal('cancel'), runId: text }),
    z.object({ kind: z.literal('gap') }),
  ]),
]);
const payloadShape = z.tuple([text, z.array(said)]);

/** Who says what; null: nothing that this server says. */
function readPayload(payload: string): [sender: string, posted: Posted[]] | null {
  try {
    const read = payloadShape.safeParse(JSON.parse(payload));
    return read.success ? (read.data as [string, Posted[]]) : null;
  } catch {
    return null;
  }
}
