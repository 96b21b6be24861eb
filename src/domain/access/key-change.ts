import type { Prisma } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError, CredentialError, NotFoundError } from '../error.ts';
import { grantOf, type KeyWithWorkspaces, requireKey, requireScope, requireWithinOwn } from './access.ts';
import type { Actor } from './actor.ts';

const withOtherWorkspaces = { otherWorkspaces: { select: { workspaceId: true } } } as const;

type KeyActor = Extract<Actor, { kind: 'API_KEY' }>;

/**
 * Does `work` on a key of the workspace, in one transaction. The key and the one that acts are locked and read there:
 * what either may do cannot change between the check and the change. `id` null: only the acting key, to make
 * another. The rows of `work` may be those of other workspaces that a key is let into, so its client is not bound to one.
 * Throws NotFoundError; ForbiddenError without WORKSPACE_ADMIN or for a key that can do more than the actor's own;
 * ConflictError for the admin key, which the operator sets; CredentialError when the acting key has ended meanwhile.
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
    // In one order, so that two administrators who change each other do not wait for each other.
    await tx.$queryRaw`SELECT "id" FROM "ApiKey" WHERE "id" = ANY(${ids}::text[]) ORDER BY "id" FOR NO KEY UPDATE`;
    const rows = await tx.apiKey.findMany({ where: { id: { in: ids } }, include: withOtherWorkspaces });
    const actor = actorNow(
      ctx,
      rows.find((row) => row.id === keyId),
    );
    const key = id === null ? null : manageable(ctx, actor, id, rows);
    return work(tx, actor, key as Id extends string ? KeyWithWorkspaces : null);
  });
}

/** The acting key as it is now, and no longer than the secret it came with. */
function actorNow(ctx: DomainContext, row: KeyWithWorkspaces | undefined): KeyActor {
  const before = requireKey(ctx);
  if (!row || row.revokedAt !== null) throw new CredentialError('REVOKED', 'This key has been revoked.');
  const power = grantOf(row);
  const ends = [before.expiresAt, power.expiresAt].filter((date) => date !== null);
  const expiresAt = ends.length === 0 ? null : new Date(Math.min(...ends.map(Number)));
  if (expiresAt !== null && expiresAt <= new Date()) throw new CredentialError('EXPIRED', 'This key has expired.');
  const actor = { ...before, ...power, expiresAt };
  requireScope({ actor }, 'WORKSPACE_ADMIN');
  if (power.workspaces !== 'ALL' && !power.workspaces.includes(ctx.workspaceId)) {
    throw new CredentialError('RIGHTS_CHANGED', 'This key may no longer enter this workspace.');
  }
  return actor;
}

function manageable(ctx: DomainContext, actor: KeyActor, id: string, rows: KeyWithWorkspaces[]): KeyWithWorkspaces {
  const key = rows.find((row) => row.id === id && row.workspaceId === ctx.workspaceId);
  if (!key) throw new NotFoundError(id);
  if (key.isAdminKey)
    throw new ConflictError('Only the operator changes the admin key, with ADMIN_KEY at the start of the server.');
  // Its own, too: a secret in its grace ends before the key does, and may not outlive that by way of a new one.
  requireWithinOwn(actor, grantOf(key));
  return key;
}
