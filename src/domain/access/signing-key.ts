import { randomBytes } from 'node:crypto';
import type { Database } from '../../db/client.ts';
import type { SigningKey } from '../../db/generated/client.ts';
import type { Vault } from '../../secret/vault.ts';

/** A key that has signed for so long makes room for a new one. */
const signsForMs = 30 * 24 * 60 * 60 * 1000;
/** The longest that a session token lives, in seconds: a key verifies for so long after it last signed. */
export const maxTokenSeconds = 86_400;

const purpose = 'signing key';

/** The keys that session tokens are signed with. They change by themselves; `rotate` does it at once. */
export class SigningKeys {
  readonly #database: Database;
  readonly #vault: Vault;
  readonly #cacheMs: number;
  #read: Promise<Map<string, { row: SigningKey; secret: Uint8Array }>> | null = null;
  #readAt = 0;

  /** `cacheMs`: how long the keys are used without reading them again. */
  constructor(database: Database, vault: Vault, cacheMs: number) {
    this.#database = database;
    this.#vault = vault;
    this.#cacheMs = cacheMs;
  }

  /** The key to verify with; null when there is none of that id, or no longer. */
  async find(id: string): Promise<Uint8Array | null> {
    return (await this.#valid()).get(id)?.secret ?? null;
  }

  /** The key to sign with. */
  async current(): Promise<{ id: string; secret: Uint8Array }> {
    const youngest = [...(await this.#valid()).values()].filter(({ row }) => row.validUntil === null).at(-1);
    if (youngest && youngest.row.createdAt.getTime() > Date.now() - signsForMs) {
      return { id: youngest.row.id, secret: youngest.secret };
    }
    await this.#replace(new Date(Date.now() + maxTokenSeconds * 1000), new Date(Date.now() - signsForMs));
    return this.current();
  }

  /** Makes a new key; what the others have signed is good until `validUntil` at most. */
  async rotate(validUntil: Date): Promise<void> {
    await this.#replace(validUntil, new Date());
  }

  /** Ends all keys that were made until `madeBefore` at `validUntil`, and adds one when none is left to sign with. */
  async #replace(validUntil: Date, madeBefore: Date): Promise<void> {
    await this.#database.$transaction(async (tx) => {
      // One instance after the other: a second one finds what the first has made.
      await tx.$executeRaw`LOCK TABLE "SigningKey" IN SHARE ROW EXCLUSIVE MODE`;
      await tx.signingKey.deleteMany({ where: { validUntil: { lt: new Date() } } });
      const isLonger = { OR: [{ validUntil: null }, { validUntil: { gt: validUntil } }] };
      await tx.signingKey.updateMany({ where: { createdAt: { lte: madeBefore }, ...isLonger }, data: { validUntil } });
      if ((await tx.signingKey.count({ where: { validUntil: null } })) > 0) return;
      const sealed = this.#vault.seal(purpose, randomBytes(32).toString('base64url'));
      await tx.signingKey.create({ data: { id: randomBytes(9).toString('base64url'), sealed } });
    });
    this.#read = null;
  }

  async #valid() {
    if (!this.#read || this.#readAt < Date.now() - this.#cacheMs) {
      this.#readAt = Date.now();
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
