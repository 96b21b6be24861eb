import { randomUUID } from 'node:crypto';
import type { PGlite } from '@electric-sql/pglite';
import { type ConstructorOptions, fromPglite, fromPrisma, PgBoss } from 'pg-boss';
import type { Transaction } from '../db/client.ts';
import type { Logger } from '../log.ts';
import type { Queue, RunJob } from './queue.ts';

const runQueue = 'run';
const ingestionQueue = 'ingestion';
/** How many jobs one poll takes. A full batch is followed by the next poll without a pause. */
const batchSize = 20;

/** Options of `pg`, which pg-boss passes on. */
const driverOptions = ({ statementMs, Client }: { statementMs?: number; Client?: unknown }): object => ({
  ...{ keepAlive: true, query_timeout: statementMs },
  ...(Client ? { Client } : {}),
});

/** pg-boss in the server's own database, so that a job commits together with the row that it announces. */
export class BossQueue implements Queue {
  readonly #boss: PgBoss;
  readonly #log: Logger;

  private constructor(boss: PgBoss, log: Logger) {
    this.#boss = boss;
    this.#log = log;
  }

  /**
   * Opens the queue on the embedded database, or on PostgreSQL with four connections of its own. `statementMs`: a statement
   * without an answer in this time fails, and its connection is closed. `Client`: the class of the connections.
   */
  static async open(
    on: { pglite: PGlite } | { url: string; statementMs?: number; Client?: unknown },
    log: Logger,
  ): Promise<BossQueue> {
    const options: ConstructorOptions =
      'pglite' in on
        ? { db: fromPglite(on.pglite), backend: 'pglite' }
        : { connectionString: on.url, max: 4, application_name: 'assistant-graph queue', ...driverOptions(on) };
    const boss = new PgBoss({ ...options, useListenNotify: true });
    boss.on('error', (error) => log.error({ err: error }, 'queue error'));
    await boss.start();
    // No retries: the sweep of the workers finds what a lost job announced.
    for (const name of [runQueue, ingestionQueue]) {
      await boss.createQueue(name, { notify: true, retryLimit: 0, deleteAfterSeconds: 3600 });
    }
    // pg-boss loads a queue's settings with its first command, on a connection of its own. The embedded database has a single
    // connection: inside a transaction that load would deadlock. A cancel of an unknown job loads the settings now.
    for (const name of [runQueue, ingestionQueue]) await boss.cancel(name, randomUUID());
    return new BossQueue(boss, log);
  }

  async enqueueRun(tx: Transaction, job: RunJob): Promise<void> {
    await this.#boss.send(runQueue, job, { db: fromPrisma(tx) });
  }

  async enqueueIngestion(tx: Transaction): Promise<void> {
    await this.#boss.send(ingestionQueue, {}, { db: fromPrisma(tx) });
  }

  async workIngestion(handle: () => Promise<void>): Promise<void> {
    const options = { batchSize, pollingIntervalSeconds: 2, notifyPollingIntervalSeconds: 10 };
    await this.#boss.work(ingestionQueue, options, async () => {
      await handle().catch((error) => this.#log.error({ err: error }, 'ingestion job failed'));
    });
  }

  async work(handle: (job: RunJob) => Promise<void>): Promise<void> {
    const options = { batchSize, burstWhenBatchFull: true, pollingIntervalSeconds: 1, notifyPollingIntervalSeconds: 5 };
    await this.#boss.work<RunJob>(runQueue, options, async (jobs) => {
      for (const { data } of jobs) {
        await handle(data).catch((error) => this.#log.error({ err: error, runId: data.runId }, 'run job failed'));
      }
    });
  }

  async stopWork(): Promise<void> {
    for (const name of [runQueue, ingestionQueue]) await this.#boss.offWork(name, { wait: false });
  }

  async ping(): Promise<void> {
    await this.#boss.getQueue(runQueue);
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false, close: true });
  }
}
