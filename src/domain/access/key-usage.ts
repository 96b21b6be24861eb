import type { Database } from '../../db/client.ts';
import type { Logger } from '../../log.ts';

const writeEveryMs = 60_000;

/** Records when keys are used, and writes it about once a minute with one statement for all keys. */
export class KeyUsage {
  readonly #database: Database;
  readonly #used = new Map<string, Date>();
  readonly #timer: NodeJS.Timeout;

  constructor(database: Database, log: Logger) {
    this.#database = database;
    const write = () => this.write().catch((error) => log.warn({ err: error }, 'key usage write failed'));
    this.#timer = setInterval(write, writeEveryMs).unref();
  }

  note(keyId: string): void {
    this.#used.set(keyId, new Date());
  }

  /** Writes the uses since the last write. Over all workspaces: keys of any may have been used. */
  async write(): Promise<void> {
    if (this.#used.size === 0) return;
    const uses = [...this.#used].map(([id, at]) => ({ id, at }));
    this.#used.clear();
    await this.#database.$executeRaw`
      UPDATE "ApiKey" k SET "lastUsedAt" = u."at"
      FROM jsonb_to_recordset(${JSON.stringify(uses)}::jsonb) AS u ("id" text, "at" timestamptz)
      WHERE k."id" = u."id" AND (k."lastUsedAt" IS NULL OR k."lastUsedAt" < u."at")`;
  }

  /** Stops the timer and writes a last time. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.write();
  }
}
