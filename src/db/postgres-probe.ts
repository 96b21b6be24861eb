import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import pg from 'pg';
import { backoffMs } from '../async/retry.ts';
import type { Timing } from '../config/timing.ts';
import type { Availability } from './availability.ts';
import { destroy } from './postgres-connections.ts';

const backoff = { firstMs: 100, maxMs: 1000 };
const tooManyConnections = '53300';

/**
 * Asks PostgreSQL at short intervals whether it answers, on a connection of its own: a pool that is busy is no outage. The
 * database is away when it neither answers on that connection nor accepts another one.
 */
export class PostgresProbe {
  readonly #url: string;
  readonly #timing: Timing['database'];
  readonly #availability: Availability;
  readonly #closing = new AbortController();
  readonly #done: Promise<void>;
  #client: pg.Client | null = null;
  #connecting: pg.Client | null = null;
  #lost = new AbortController();

  constructor(url: string, timing: Timing['database'], availability: Availability) {
    this.#url = url;
    this.#timing = timing;
    this.#availability = availability;
    this.#done = this.#run();
  }

  /** Stops asking, also while the database does not answer. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#drop();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let failed = 0; !signal.aborted; ) {
      try {
        await this.#ask();
        this.#availability.answered();
        failed = 0;
        await delay(this.#timing.probeMs, undefined, { signal: AbortSignal.any([signal, this.#lost.signal]) });
      } catch (error) {
        const wasConnected = this.#client !== null;
        this.#drop();
        // A server that is full has answered: the connections of the pool can still work.
        if ((error as { code?: unknown }).code === tooManyConnections) this.#availability.answered();
        else if (!wasConnected && !signal.aborted) this.#availability.failed(error);
        if (signal.aborted || wasConnected) continue;
        failed += 1;
        await delay(backoffMs(failed, backoff), undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Rejects when there is no answer in time. */
  async #ask(): Promise<void> {
    this.#client ??= await this.#connect();
    await this.#answered(this.#client.query('SELECT 1'));
  }

  async #connect(): Promise<pg.Client> {
    const lost = new AbortController();
    this.#lost = lost;
    const client = new pg.Client({ connectionString: this.#url, application_name: 'assistant-graph probe' });
    client.on('error', () => lost.abort());
    client.on('end', () => lost.abort());
    this.#connecting = client;
    try {
      await this.#answered(client.connect());
      return client;
    } catch (error) {
      destroy(client);
      throw error;
    } finally {
      this.#connecting = null;
    }
  }

  async #answered(answer: Promise<unknown>): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(async () => {
      // After a pause of this process the answer may have arrived, unread.
      for (let turns = 0; turns < 3; turns += 1) await turn();
      reject(new Error('The database did not answer in time.'));
    }, this.#timing.answerMs);
    promise.catch(() => {});
    await Promise.race([answer, promise]).finally(() => clearTimeout(timer));
  }

  #drop(): void {
    for (const client of [this.#client, this.#connecting]) if (client) destroy(client);
    this.#client = null;
  }
}
