import { z } from 'zod';
import type { Workspace } from '../db/generated/client.ts';
import { newId } from '../id.ts';
import { requireScope } from './access.ts';
import { type DomainContext, systemContext } from './context.ts';
import { ConflictError, ForbiddenError, NotFoundError } from './error.ts';
import { effectiveModel } from './generation.ts';
import { absentOr, clearable, nameUpTo, parse } from './input.ts';
import { deleteThread } from './thread.ts';

const createInput = z.object({ name: nameUpTo(256) });
const settings = z.object({
  defaultModel: clearable(z.string().trim().min(1).max(200)),
  threadTtlDays: clearable(z.int().min(1, 'At least 1 day, please').max(36_500)),
  maxConcurrentRuns: absentOr(z.int().min(1, 'At least 1, please').max(100_000)),
  runExpirySeconds: absentOr(z.int().min(10, 'At least 10 s, please').max(2_592_000)),
  recordSteps: absentOr(z.enum(['FULL', 'SUMMARY', 'NONE'])),
});
const updateInput = z.object({ id: absentOr(z.string()), name: absentOr(nameUpTo(256)), settings: absentOr(settings) });

/** The workspace that the request acts in. */
export function currentWorkspace(ctx: DomainContext): Promise<Workspace> {
  return ctx.db.workspace.findUniqueOrThrow({ where: { id: ctx.workspaceId } });
}

/** The `where` of the workspaces that the actor may act in: all for a server's administrator, else the current one. */
export function workspacesVisibleTo(ctx: DomainContext) {
  return ctx.actor.scopes.includes('SERVER_ADMIN') ? {} : { id: ctx.workspaceId };
}

/** Makes a workspace. Needs SERVER_ADMIN. */
export async function createWorkspace(ctx: DomainContext, input: unknown): Promise<Workspace> {
  requireScope(ctx, 'SERVER_ADMIN');
  const { name } = parse(createInput, input);
  // A new workspace is nobody's yet, so no bound client could write it.
  return ctx.database.workspace.create({ data: { id: newId('Workspace'), name } });
}

/** Renames a workspace or changes its settings; the current one when no id is given. Absent keeps, null clears. */
export async function updateWorkspace(ctx: DomainContext, input: unknown): Promise<Workspace> {
  requireScope(ctx, 'WORKSPACE_ADMIN');
  const { id = ctx.workspaceId, name, settings } = parse(updateInput, input);
  const target = await enterWorkspace(ctx, id);
  if (settings?.defaultModel) effectiveModel(ctx, settings.defaultModel, null);
  return target.db.workspace.update({ where: { id }, data: { name, ...settings } });
}

/** Deletes a workspace with all it holds. The default one and the one that the request acts in are refused. */
export async function deleteWorkspace(ctx: DomainContext, input: { id: string }): Promise<string> {
  requireScope(ctx, 'SERVER_ADMIN');
  const { id } = parse(z.object({ id: z.string() }), input);
  const target = await enterWorkspace(ctx, id);
  const workspace = await currentWorkspace(target);
  if (workspace.isDefault) throw new ConflictError('The default workspace stays. Delete what is in it instead.');
  if (id === ctx.workspaceId) throw new ConflictError('Delete a workspace from another one: this request acts in it.');
  const threads = await target.db.thread.findMany({ select: { id: true } });
  for (const thread of threads) await deleteThread(target, thread);
  await target.db.workspace.delete({ where: { id } });
  return id;
}

/** The server's own context in a workspace that the actor may enter; NotFoundError for one that they may not. */
async function enterWorkspace(ctx: DomainContext, id: string): Promise<DomainContext> {
  if (id === ctx.workspaceId) return ctx;
  const { id: visible } = workspacesVisibleTo(ctx);
  if (visible !== undefined) throw new NotFoundError(id);
  const target = systemContext(ctx, id);
  if (!(await target.db.workspace.findUnique({ where: { id }, select: { id: true } }))) throw new NotFoundError(id);
  return target;
}

/**
 * The workspace that a request acts in: the key's own, or the one it names.
 * Throws NotFoundError for one that the key may not enter, as for one that is not there.
 */
export async function chooseWorkspace(ctx: DomainContext, named: string | null): Promise<string> {
  if (named === null || named === ctx.workspaceId) return ctx.workspaceId;
  if (ctx.actor.kind === 'USER') throw new ForbiddenError(null, 'A session token acts in its own workspace only.');
  return (await enterWorkspace(ctx, named)).workspaceId;
}
