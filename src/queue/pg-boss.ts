import { randomUUID } from 'node:crypto';
import type { PGlite } from '@electric-sql/pglite';
import { type ConstructorOptions, fromPglite, fromPrisma, PgBoss } from 'pg-boss';
import type { Transaction } from '../db/client.ts';
import type { Logger } from '../log.ts';
import type { Queue, RunJob } from './queue.ts';

const runQueue = 'run';
const ingestionQueue = 'ingestion';
/** How many rings one look takes; a full look is followed by the next without a pause. */
const batchSize = 20;

/** pg-boss in the server's own database, so that a job commits with the row it is about. */
export class BossQueue implements Queue {
  readonly #boss: PgBoss;
  readonly #log: Logger;

  private constructor(boss: PgBoss, log: Logger) {
    this.#boss = boss;
    this.#log = log;
  }

  /** Opens the queue on the embedded database, or on PostgreSQL with a few connections of its own. */
  static async open(on: { pglite: PGlite } | { url: string }, log: Logger): Promise<BossQueue> {
    const options: ConstructorOptions =
      'pglite' in on
        ? { db: fromPglite(on.pglite), backend: 'pglite' }
        : { connectionString: on.url, max: 4, application_name: 'assistant-graph queue' };
    const boss = new PgBoss({ ...options, useListenNotify: true });
    boss.on('error', (error) => log.error({ err: error }, 'queue'));
    await boss.start();
    // A ring is not repeated by the queue: the sweep rings again for runs whose worker is gone.
    for (const name of [runQueue, ingestionQueue]) {
      await boss.createQueue(name, { notify: true, retryLimit: 0, deleteAfterSeconds: 3600 });
    }
    // What it knows of a queue it reads when it is first asked for anything, such as a job that is not there, on a connection
    // of its own. The embedded database has one only: inside a transaction that would wait for itself.
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
      await handle().catch((error) => this.#log.error({ err: error }, 'ingestion'));
    });
  }

  async work(handle: (job: RunJob) => Promise<void>): Promise<void> {
    const options = { batchSize, burstWhenBatchFull: true, pollingIntervalSeconds: 1, notifyPollingIntervalSeconds: 5 };
    await this.#boss.work<RunJob>(runQueue, options, async (jobs) => {
      for (const { data } of jobs) {
        await handle(data).catch((error) => this.#log.error({ err: error, runId: data.runId }, 'job'));
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
