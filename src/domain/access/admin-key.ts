import type { Database } from '../../db/client.ts';
import { Scope } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import { hashOf, prefixOf } from '../../secret/key-secret.ts';
import type { Vault } from '../../secret/vault.ts';

/**
 * Makes sure that this is the server's own SECRET_KEY: another one would open nothing that is kept in the database.
 * Returns false when the database was set up with another one.
 */
export async function isOwnSecretKey(database: Database, vault: Vault): Promise<boolean> {
  const secretCheck = vault.hash('check', 'assistant-graph');
  await database.server.createMany({ data: [{ id: 1, secretCheck }], skipDuplicates: true });
  const server = await database.server.findUniqueOrThrow({ where: { id: 1 } });
  return server.secretCheck === secretCheck;
}

/** Whether the server has a first key with a secret that somebody knows. */
export async function hasAdminKey(database: Database): Promise<boolean> {
  return (await database.apiKeySecret.findFirst({ where: { key: { isAdminKey: true } } })) !== null;
}

/**
 * Makes sure that the default workspace is there and that a first key opens it with every scope. `replace`: the secret
 * takes the place of any earlier one; else it is taken only where there is none. Several instances may do this at
 * once. Returns whether the secret is that of the first key.
 */
export async function ensureAdminKey(
  database: Database,
  vault: Vault,
  secret: string,
  replace: boolean,
): Promise<boolean> {
  const hash = hashOf({ vault }, secret);
  return database.$transaction(async (tx) => {
    // One instance after the other.
    await tx.$executeRaw`LOCK TABLE "Workspace" IN SHARE ROW EXCLUSIVE MODE`;
    const { id: workspaceId } =
      (await tx.workspace.findFirst({ where: { isDefault: true } })) ??
      (await tx.workspace.create({ data: { id: newId('Workspace'), name: 'Default', isDefault: true } }));
    const data = { scopes: Object.values(Scope), allWorkspaces: true };
    const first =
      (await tx.apiKey.findFirst({ where: { isAdminKey: true } })) ??
      (await tx.apiKey.create({
        data: {
          ...data,
          workspaceId,
          id: newId('ApiKey'),
          name: 'First key',
          prefix: prefixOf(secret),
          isAdminKey: true,
        },
      }));
    const where = { workspaceId, keyId: first.id };
    const kept = await tx.apiKeySecret.findFirst({ where });
    if (kept && (kept.hash === hash || !replace)) return kept.hash === hash;
    await tx.apiKeySecret.deleteMany({ where });
    await tx.apiKeySecret.create({ data: { ...where, hash } });
    // A first key of an earlier version may lack what has been added since.
    await tx.apiKey.update({
      where: { workspaceId_id: { workspaceId, id: first.id } },
      data: { ...data, prefix: prefixOf(secret), revokedAt: null, expiresAt: null },
    });
    return true;
  });
}
