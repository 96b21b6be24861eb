import type { Prisma, Workspace } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';

/** The `where` of the workspaces that the actor may act in: those that a key may enter, else the current one. */
export function workspacesVisibleTo({ actor, workspaceId }: DomainContext): Prisma.WorkspaceWhereInput {
  const reach = actor.kind === 'API_KEY' ? actor.workspaces : [workspaceId];
  return reach === 'ALL' ? { deletedAt: null } : { deletedAt: null, id: { in: [...reach] } };
}

/** Throws NotFoundError unless the actor may act in all of the workspaces. */
export async function requireWorkspaces(ctx: DomainContext, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const where = { AND: [workspacesVisibleTo(ctx), { id: { in: ids.filter((id) => isId('Workspace', id)) } }] };
  // Beyond the request's own workspace: `where` says which others the actor may enter.
  const found = new Set((await ctx.database.workspace.findMany({ where, select: { id: true } })).map(({ id }) => id));
  for (const id of ids) if (!found.has(id)) throw new NotFoundError(id);
}

/**
 * The workspaces that each of some keys was let into by name, its own first; of those only what the actor may enter.
 * `query`: what to read of them, at least their ids.
 */
export async function workspacesOfKeys(
  ctx: DomainContext,
  keyIds: readonly string[],
  query: Pick<Prisma.WorkspaceFindManyArgs, 'select' | 'include'>,
): Promise<Workspace[][]> {
  // Keys name workspaces beyond the request's own: `where` says which of them the actor may enter.
  const keys = await ctx.database.apiKey.findMany({
    where: { id: { in: [...keyIds] } },
    select: {
      id: true,
      workspaceId: true,
      otherWorkspaces: { select: { workspaceId: true }, orderBy: { workspaceId: 'asc' } },
    },
  });
  const ids = keys.flatMap(({ workspaceId, otherWorkspaces }) => [
    workspaceId,
    ...otherWorkspaces.map((other) => other.workspaceId),
  ]);
  const where = { AND: [workspacesVisibleTo(ctx), { id: { in: ids } }] };
  const visible = new Map(
    (await ctx.database.workspace.findMany({ ...query, where } as { where: typeof where })).map((row) => [row.id, row]),
  );
  const byKey = new Map(keys.map((key) => [key.id, key]));
  return keyIds.map((keyId) => {
    const { workspaceId = '', otherWorkspaces = [] } = byKey.get(keyId) ?? {};
    return [workspaceId, ...otherWorkspaces.map((other) => other.workspaceId)].flatMap((id) => visible.get(id) ?? []);
  });
}
