import type { Prisma } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError, CredentialError, NotFoundError } from '../error.ts';
import { earliest, grantOf, type KeyWithWorkspaces, requireKey, requireScope, requireWithinOwn } from './access.ts';
import type { Actor } from './actor.ts';

const withOtherWorkspaces = { otherWorkspaces: { select: { workspaceId: true } } } as const;

type KeyActor = Extract<Actor, { kind: 'API_KEY' }>;

/**
 * Runs `work` on a key of the workspace, in one transaction. The key and the acting key are locked and read in it, so
 * that neither grant can change between the check and the change. `id` null: only the acting key is locked, to create
 * another key. The client of `work` is not bound to a workspace, because a key can have rows in others.
 * Throws NotFoundError; ForbiddenError without WORKSPACE_ADMIN or for a key that exceeds the acting key;
 * ConflictError for the admin key; CredentialError when the acting key has been revoked or has expired meanwhile.
 */
export function changeKeys<Id extends string | null, T>(
  ctx: DomainContext,
  id: Id,
  work: (
    tx: Prisma.TransactionClient,
    actor: KeyActor,
    key: Id extends string ? KeyWithWorkspaces : null,
  ) => Promise<T>,
): Promise<T> {
  requireScope(ctx, 'WORKSPACE_ADMIN');
  const { keyId } = requireKey(ctx);
  return ctx.database.$transaction(async (tx) => {
    const ids = id === null || !isId('ApiKey', id) ? [keyId] : [keyId, id];
    // In a fixed order, so that two administrators who change each other's keys do not deadlock.
    await tx.$queryRaw`SELECT "id" FROM "ApiKey" WHERE "id" = ANY(${ids}::text[]) ORDER BY "id" FOR NO KEY UPDATE`;
    const rows = await tx.apiKey.findMany({ where: { id: { in: ids } }, include: withOtherWorkspaces });
    const actor = currentActor(
      ctx,
      rows.find((row) => row.id === keyId),
    );
    const key = id === null ? null : requireManageable(ctx, actor, id, rows);
    return work(tx, actor, key as Id extends string ? KeyWithWorkspaces : null);
  });
}

/** The acting key with its current grant, which ends no later than the secret that the request came with. */
function currentActor(ctx: DomainContext, row: KeyWithWorkspaces | undefined): KeyActor {
  const before = requireKey(ctx);
  if (!row || row.revokedAt !== null) throw new CredentialError('REVOKED', 'The key has been revoked.');
  const grant = grantOf(row);
  const expiresAt = earliest(before.expiresAt, grant.expiresAt);
  if (expiresAt !== null && expiresAt <= new Date()) throw new CredentialError('EXPIRED', 'The key has expired.');
  const actor = { ...before, ...grant, expiresAt };
  requireScope({ actor }, 'WORKSPACE_ADMIN');
  if (grant.workspaces !== 'ALL' && !grant.workspaces.includes(ctx.workspaceId)) {
    throw new CredentialError('RIGHTS_CHANGED', 'The key may not enter this workspace any more.');
  }
  return actor;
}

function requireManageable(
  ctx: DomainContext,
  actor: KeyActor,
  id: string,
  rows: KeyWithWorkspaces[],
): KeyWithWorkspaces {
  const key = rows.find((row) => row.id === id && row.workspaceId === ctx.workspaceId);
  if (!key) throw new NotFoundError(id);
  if (key.isAdminKey) throw new ConflictError('The admin key is changed with the setting ADMIN_KEY only.');
  // Also for the acting key itself: a secret in its grace period expires before its key, and must not renew itself.
  requireWithinOwn(actor, grantOf(key));
  return key;
}
