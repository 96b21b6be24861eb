import { randomBytes } from 'node:crypto';
import type { Database } from '../../db/client.ts';
import type { SigningKey } from '../../db/generated/client.ts';
import type { Vault } from '../../secret/vault.ts';
import { tokenLimits } from '../limits.ts';

/** The age at which a signing key is replaced. */
const maxAgeMs = 30 * 24 * 60 * 60 * 1000;
const purpose = 'signing key';

/** The keys that sign session tokens. They are replaced after 30 days; `rotate` replaces them at once. */
export class SigningKeys {
  readonly #database: Database;
  readonly #vault: Vault;
  readonly #cacheMs: number;
  #read: Promise<Map<string, { row: SigningKey; secret: Uint8Array }>> | null = null;
  #readAt = 0;

  /** `cacheMs`: how long the keys are cached. */
  constructor(database: Database, vault: Vault, cacheMs: number) {
    this.#database = database;
    this.#vault = vault;
    this.#cacheMs = cacheMs;
  }

  /** The key with this ID, to verify a token; null: unknown or expired. */
  async find(id: string): Promise<Uint8Array | null> {
    return (await this.#valid()).get(id)?.secret ?? null;
  }

  /** The key to sign with. Creates one when none is young enough. */
  async current(): Promise<{ id: string; secret: Uint8Array }> {
    const newest = [...(await this.#valid()).values()].filter(({ row }) => row.validUntil === null).at(-1);
    if (newest && newest.row.createdAt.getTime() > Date.now() - maxAgeMs) {
      return { id: newest.row.id, secret: newest.secret };
    }
    await this.#replace(new Date(Date.now() + tokenLimits.ttlSeconds * 1000), new Date(Date.now() - maxAgeMs));
    return this.current();
  }

  /** Creates a new key. The older keys verify tokens until `validUntil` at most. */
  async rotate(validUntil: Date): Promise<void> {
    await this.#replace(validUntil, new Date());
  }

  /** Sets `validUntil` on all keys created up to `createdBefore`, and creates one when none is left to sign with. */
  async #replace(validUntil: Date, createdBefore: Date): Promise<void> {
    await this.#database.$transaction(async (tx) => {
      // One instance at a time: the second finds the key that the first has created.
      await tx.$executeRaw`LOCK TABLE "SigningKey" IN SHARE ROW EXCLUSIVE MODE`;
      await tx.signingKey.deleteMany({ where: { validUntil: { lt: new Date() } } });
      const isLonger = { OR: [{ validUntil: null }, { validUntil: { gt: validUntil } }] };
      await tx.signingKey.updateMany({
        where: { createdAt: { lte: createdBefore }, ...isLonger },
        data: { validUntil },
      });
      if ((await tx.signingKey.count({ where: { validUntil: null } })) > 0) return;
      const sealed = this.#vault.seal(purpose, randomBytes(32).toString('base64url'));
      await tx.signingKey.create({ data: { id: randomBytes(9).toString('base64url'), sealed } });
    });
    this.#read = null;
  }

  async #valid() {
    // Not the time of day, which can be set back.
    if (!this.#read || this.#readAt < performance.now() - this.#cacheMs) {
      this.#readAt = performance.now();
      this.#read = this.#load();
      this.#read.catch(() => {
        this.#read = null;
      });
    }
    return this.#read;
  }

  async #load() {
    const where = { OR: [{ validUntil: null }, { validUntil: { gt: new Date() } }] };
    const rows = await this.#database.signingKey.findMany({ where, orderBy: { createdAt: 'asc' } });
    return new Map(
      rows.map((row) => [row.id, { row, secret: Buffer.from(this.#vault.open(purpose, row.sealed), 'base64url') }]),
    );
  }
}
