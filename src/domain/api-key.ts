import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Database } from '../db/client.ts';
import { type ApiKey, Scope } from '../db/generated/client.ts';
import { newId } from '../id.ts';

/** A new secret: a prefix that people and scanners recognise, and 32 random bytes. */
export function newSecret(): string {
  return `ag_${randomBytes(32).toString('base64url')}`;
}

/** Secrets are long and random, so a plain hash is enough to keep them from being read out of the database. */
const hashOf = (secret: string) => createHash('sha256').update(secret).digest('hex');

/**
 * The key that a secret belongs to, or null when it is unknown, revoked or expired. Looks over all workspaces: which
 * one the request acts in is known only from the key.
 */
export async function authenticateKey(database: Database, secret: string): Promise<ApiKey | null> {
  const hash = hashOf(secret);
  const key = await database.apiKey.findUnique({ where: { hash } });
  if (!key || !timingSafeEqual(Buffer.from(key.hash), Buffer.from(hash))) return null;
  const now = new Date();
  const isOver = key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= now);
  return isOver ? null : key;
}

/**
 * Makes sure that the default workspace is there and that the operator's secret, and no earlier one, opens it with every
 * scope. Several instances may do this at once.
 */
export async function ensureFirstKey(database: Database, secret: string): Promise<void> {
  const hash = hashOf(secret);
  await database.$transaction(async (tx) => {
    // One instance after the other.
    await tx.$executeRaw`LOCK TABLE "Workspace" IN SHARE ROW EXCLUSIVE MODE`;
    const workspace =
      (await tx.workspace.findFirst({ where: { isDefault: true } })) ??
      (await tx.workspace.create({ data: { id: newId('Workspace'), name: 'Default', isDefault: true } }));
    const secretColumns = { prefix: secret.slice(0, 7), hash };
    const scopes = Object.values(Scope);
    const { count } = await tx.apiKey.updateMany({ where: { isFirst: true }, data: { ...secretColumns, scopes } });
    if (count > 0) return;
    await tx.apiKey.create({
      data: {
        ...secretColumns,
        workspaceId: workspace.id,
        id: newId('ApiKey'),
        name: 'First key',
        scopes,
        isFirst: true,
      },
    });
  });
}
