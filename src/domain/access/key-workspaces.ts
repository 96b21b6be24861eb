import type { Prisma, Workspace } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import type { DomainContext } from '../context.ts';
import { NotFoundError } from '../error.ts';

/** The `where` of the workspaces that the actor may enter: those of its key's grant, otherwise the current one. */
export function workspacesVisibleTo({ actor, workspaceId }: DomainContext): Prisma.WorkspaceWhereInput {
  const workspaces = actor.kind === 'API_KEY' ? actor.workspaces : [workspaceId];
  return workspaces === 'ALL' ? { deletedAt: null } : { deletedAt: null, id: { in: [...workspaces] } };
}

/** Throws NotFoundError unless the actor may enter all of the workspaces. */
export async function requireWorkspaces(ctx: DomainContext, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const where = { AND: [workspacesVisibleTo(ctx), { id: { in: ids.filter((id) => isId('Workspace', id)) } }] };
  // Reads beyond the request's workspace; `where` limits it to those that the actor may enter.
  const rows = await ctx.database.workspace.findMany({ where, select: { id: true } });
  const visible = new Set(rows.map(({ id }) => id));
  for (const id of ids) if (!visible.has(id)) throw new NotFoundError(id);
}

/**
 * The workspaces that each key may enter by ID, its own first; limited to those that the actor may enter.
 * `query`: the columns to read, at least the ID.
 */
export async function workspacesOfKeys(
  ctx: DomainContext,
  keyIds: readonly string[],
  query: Pick<Prisma.WorkspaceFindManyArgs, 'select' | 'include'>,
): Promise<Workspace[][]> {
  // Reads beyond the request's workspace; `where` limits it to workspaces that the actor may enter.
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
