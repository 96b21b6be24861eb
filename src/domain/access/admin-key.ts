import type { Database } from '../../db/client.ts';
import { Scope } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import { hashOf, prefixOf } from '../../secret/key-secret.ts';
import type { Vault } from '../../secret/vault.ts';

/**
 * Whether SECRET_KEY is the one that the database was set up with; the first start stores a hash of it. With any other
 * key the server could not decrypt the secrets in the database.
 */
export async function isOwnSecretKey(database: Database, vault: Vault): Promise<boolean> {
  const secretCheck = vault.hash('check', 'assistant-graph');
  await database.server.createMany({ data: [{ id: 1, secretCheck }], skipDuplicates: true });
  const server = await database.server.findUniqueOrThrow({ where: { id: 1 } });
  return server.secretCheck === secretCheck;
}

/** Whether an admin key with a secret exists. */
export async function hasAdminKey(database: Database): Promise<boolean> {
  return (await database.apiKeySecret.findFirst({ where: { key: { isAdminKey: true } } })) !== null;
}

/**
 * Creates the default workspace and its admin key, with every scope, unless they exist. `replace`: the secret replaces
 * an existing one; otherwise it is set only when the key has none. Several instances may call this at the same time.
 * Returns whether the secret is now that of the admin key.
 */
export async function ensureAdminKey(
  database: Database,
  vault: Vault,
  secret: string,
  replace: boolean,
): Promise<boolean> {
  const hash = hashOf({ vault }, secret);
  return database.$transaction(async (tx) => {
    // One instance at a time.
    await tx.$executeRaw`LOCK TABLE "Workspace" IN SHARE ROW EXCLUSIVE MODE`;
    const { id: workspaceId } =
      (await tx.workspace.findFirst({ where: { isDefault: true } })) ??
      (await tx.workspace.create({ data: { id: newId('Workspace'), name: 'Default', isDefault: true } }));
    const data = { scopes: Object.values(Scope), allWorkspaces: true };
    const key =
      (await tx.apiKey.findFirst({ where: { isAdminKey: true } })) ??
      (await tx.apiKey.create({
        data: {
          ...data,
          workspaceId,
          id: newId('ApiKey'),
          name: 'Admin key',
          prefix: prefixOf(secret),
          isAdminKey: true,
        },
      }));
    const where = { workspaceId, keyId: key.id };
    const current = await tx.apiKeySecret.findFirst({ where });
    if (current && (current.hash === hash || !replace)) return current.hash === hash;
    await tx.apiKeySecret.deleteMany({ where });
    await tx.apiKeySecret.create({ data: { ...where, hash } });
    // The admin key of an earlier version may lack scopes that were added since.
    await tx.apiKey.update({
      where: { workspaceId_id: { workspaceId, id: key.id } },
      data: { ...data, prefix: prefixOf(secret), revokedAt: null, expiresAt: null },
    });
    return true;
  });
}
