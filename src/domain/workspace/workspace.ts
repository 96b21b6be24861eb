import { z } from 'zod';
import type { Workspace } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { announceCredentialChange } from '../access/credential-change.ts';
import { requireWorkspaces } from '../access/key-workspaces.ts';
import { type DomainContext, systemContext } from '../context.ts';
import { ConflictError, NotFoundError } from '../error.ts';
import { absentOr, clearable, nameUpTo, parse } from '../input.ts';
import { changeThread } from '../log/thread-change.ts';
import { effectiveModel } from '../run/generation.ts';
import { cancelUnfinishedRuns } from '../run/run.ts';

const createInput = z.object({ name: nameUpTo(256) });
const settings = z.object({
  defaultModel: clearable(z.string().trim().min(1).max(200)),
  threadTtlDays: clearable(z.int().min(1, 'At least 1 day, please').max(36_500)),
  maxConcurrentRuns: absentOr(z.int().min(1, 'At least 1, please').max(100_000)),
  runExpirySeconds: absentOr(z.int().min(10, 'At least 10 s, please').max(2_592_000)),
  maxRunSeconds: absentOr(z.int().min(1, 'At least 1 s, please').max(2_592_000)),
  recordSteps: absentOr(z.enum(['FULL', 'SUMMARY', 'NONE'])),
});
const updateInput = z.object({ id: absentOr(z.string()), name: absentOr(nameUpTo(256)), settings: absentOr(settings) });

/** The workspace that the request acts in. */
export function currentWorkspace(ctx: DomainContext): Promise<Workspace> {
  return ctx.db.workspace.findUniqueOrThrow({ where: { id: ctx.workspaceId } });
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

/**
 * Deletes a workspace: nobody sees or enters it any more, and what runs in it is cancelled; what it held is deleted
 * after that, bit by bit (`deleteRemains`). The default one and the one that the request acts in are refused.
 */
export async function deleteWorkspace(ctx: DomainContext, input: unknown): Promise<string> {
  requireScope(ctx, 'SERVER_ADMIN');
  const { id } = parse(z.object({ id: z.string() }), input);
  const target = await enterWorkspace(ctx, id);
  const workspace = await currentWorkspace(target);
  if (workspace.isDefault) throw new ConflictError('The default workspace stays. Delete what is in it instead.');
  if (id === ctx.workspaceId) throw new ConflictError('Delete a workspace from another one: this request acts in it.');
  const where = { id, deletedAt: null };
  const { count } = await target.db.workspace.updateMany({ where, data: { deletedAt: new Date() } });
  if (count === 0) throw new NotFoundError(id);
  announceCredentialChange(ctx);
  const running = await target.db.thread.findMany({ where: { activeRunId: { not: null } }, select: { id: true } });
  for (const thread of running) {
    await changeThread(target, thread.id, (change) => cancelUnfinishedRuns(target, change)).catch(unlessGone);
  }
  return id;
}

/** Somebody else was faster. */
function unlessGone(error: unknown): void {
  if (!(error instanceof NotFoundError)) throw error;
}

/** The server's own context in a workspace that the actor may enter; NotFoundError for one that they may not. */
async function enterWorkspace(ctx: DomainContext, id: string): Promise<DomainContext> {
  if (id === ctx.workspaceId) return ctx;
  await requireWorkspaces(ctx, [id]);
  return systemContext(ctx, id);
}
