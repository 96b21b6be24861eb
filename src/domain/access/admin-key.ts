import type { Database } from '../../db/client.ts';
import { Scope } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import { hashOf, prefixOf } from '../../secret/key-secret.ts';
import type { Vault } from '../../secret/vault.ts';

/**
 * Whether the secret key is the one with which the database was set up: another one could not open the sealed secrets. Stores
 * a check of the key in a new database.
 */
export async function isOwnSecretKey(database: Database, vault: Vault): Promise<boolean> {
  const secretCheck = vault.hash('check', 'assistant-graph');
  await database.server.createMany({ data: [{ id: 1, secretCheck }], skipDuplicates: true });
  const server = await database.server.findUniqueOrThrow({ where: { id: 1 } });
  return server.secretCheck === secretCheck;
}

/** Whether the admin key has a secret. */
export async function hasAdminKey(database: Database): Promise<boolean> {
  return (await database.apiKeySecret.findFirst({ where: { key: { isAdminKey: true } } })) !== null;
}

/**
 * Creates the default workspace and the admin key, which has every scope, where they are missing. `replace`: the secret
 * replaces an earlier one; otherwise it is used only where there is none. Instances may call this concurrently. Returns
 * whether the secret is that of the admin key.
 */
export async function ensureAdminKey(
  database: Database,
  vault: Vault,
  secret: string,
  replace: boolean,
): Promise<boolean> {
  const hash = hashOf({ vault }, secret);
  return database.$transaction(async (tx) => {
    // The lock serializes the instances.
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
    const kept = await tx.apiKeySecret.findFirst({ where });
    if (kept && (kept.hash === hash || !replace)) return kept.hash === hash;
    await tx.apiKeySecret.deleteMany({ where });
    await tx.apiKeySecret.create({ data: { ...where, hash } });
    // The admin key of an earlier version may lack newer scopes.
    await tx.apiKey.update({
      where: { workspaceId_id: { workspaceId, id: key.id } },
      data: { ...data, prefix: prefixOf(secret), revokedAt: null, expiresAt: null },
    });
    return true;
  });
}
