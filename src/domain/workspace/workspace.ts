import { z } from 'zod';
import { Prisma, RunOverride, type Workspace } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import { requireScope } from '../access/access.ts';
import { announceCredentialChange } from '../access/credential-change.ts';
import { requireWorkspaces } from '../access/key-workspaces.ts';
import { requireAssistants } from '../access/user-rights.ts';
import { type DomainContext, systemContext } from '../context.ts';
import { ConflictError, NotFoundError } from '../error.ts';
import { absentOr, clearable, integer, listUpTo, nameUpTo, parse } from '../input.ts';
import { tokenLimits, workspaceLimits } from '../limits.ts';
import { changeThread } from '../log/thread-change.ts';
import { requireRoom } from '../quota.ts';
import { effectiveModel, modelName } from '../run/generation.ts';
import { cancelUnfinishedRuns } from '../run/run.ts';

const createInput = z.object({ name: nameUpTo(workspaceLimits.name) });
const endUsers = z.object({
  assistantIds: clearable(listUpTo(z.string(), workspaceLimits.userAssistants, 'assistants')),
  models: clearable(listUpTo(modelName, workspaceLimits.userModels, 'models')),
  overrides: absentOr(listUpTo(z.enum(RunOverride), tokenLimits.overrides, 'overrides')),
});
const settings = z.object({
  endUsers: absentOr(endUsers),
  defaultModel: clearable(modelName),
  threadTtlDays: clearable(integer(1, workspaceLimits.threadTtlDays, 'days')),
  maxConcurrentRuns: absentOr(integer(1, workspaceLimits.concurrentRuns)),
  runExpirySeconds: absentOr(integer(workspaceLimits.minRunExpirySeconds, workspaceLimits.runExpirySeconds, 'seconds')),
  maxRunSeconds: absentOr(integer(1, workspaceLimits.runSeconds, 'seconds')),
  recordSteps: absentOr(z.enum(['FULL', 'SUMMARY', 'NONE'])),
});
const updateInput = z.object({
  id: absentOr(z.string()),
  name: absentOr(nameUpTo(workspaceLimits.name)),
  settings: absentOr(settings),
});

/** The workspace that the request acts in. */
export function currentWorkspace(ctx: DomainContext): Promise<Workspace> {
  return ctx.db.workspace.findUniqueOrThrow({ where: { id: ctx.workspaceId } });
}

/** Creates a workspace. Requires SERVER_ADMIN. */
export async function createWorkspace(ctx: DomainContext, input: unknown): Promise<Workspace> {
  requireScope(ctx, 'SERVER_ADMIN');
  const { name } = parse(createInput, input);
  const { perServer } = workspaceLimits;
  requireRoom(await ctx.database.workspace.count({ take: perServer }), perServer, 'workspaces');
  // No client is bound to a workspace that does not exist yet.
  return ctx.database.workspace.create({ data: { id: newId('Workspace'), name } });
}

/** Updates the name or the settings of a workspace, by default the current one. Absent keeps, null clears. */
export async function updateWorkspace(ctx: DomainContext, input: unknown): Promise<Workspace> {
  requireScope(ctx, 'WORKSPACE_ADMIN');
  const { id = ctx.workspaceId, name, settings } = parse(updateInput, input);
  const target = await enterWorkspace(ctx, id);
  const { endUsers: users, ...others } = settings ?? {};
  if (others.defaultModel) effectiveModel(ctx, others.defaultModel, null);
  const rights = users && (await rightsColumnsOf(target, users));
  const workspace = await target.db.workspace.update({ where: { id }, data: { name, ...others, ...rights } });
  // End users act with what the process has cached of their rights.
  if (rights) announceCredentialChange(ctx);
  return workspace;
}

/** The columns of the rights of end users. Throws NotFoundError and InvalidInputError for what does not exist. */
async function rightsColumnsOf(target: DomainContext, { assistantIds, models, overrides }: z.output<typeof endUsers>) {
  await requireAssistants(target, assistantIds ?? []);
  const resolved = models && [...new Set(models.map((model) => effectiveModel(target, model, null)))];
  return {
    userAssistantIds: jsonColumn(assistantIds),
    userModels: jsonColumn(resolved ?? models),
    userOverrides: overrides && [...new Set(overrides)],
  };
}

/** The value of a JSON column; null is written as NULL. */
const jsonColumn = (value: string[] | null | undefined) => (value === null ? Prisma.DbNull : value);

/**
 * Deletes a workspace: it cannot be seen or entered any more, and its runs are cancelled. Its data is purged in the
 * background (`purgeDeletedWorkspaces`). Requires SERVER_ADMIN. Throws ConflictError for the default workspace and for
 * the one that the request acts in.
 */
export async function deleteWorkspace(ctx: DomainContext, input: unknown): Promise<string> {
  requireScope(ctx, 'SERVER_ADMIN');
  const { id } = parse(z.object({ id: z.string() }), input);
  const target = await enterWorkspace(ctx, id);
  const workspace = await currentWorkspace(target);
  if (workspace.isDefault) throw new ConflictError('The default workspace cannot be deleted. Delete its data instead.');
  if (id === ctx.workspaceId)
    throw new ConflictError('The request acts in this workspace. Delete it from another one.');
  const where = { id, deletedAt: null };
  const { count } = await target.db.workspace.updateMany({ where, data: { deletedAt: new Date() } });
  if (count === 0) throw new NotFoundError(id);
  announceCredentialChange(ctx);
  const running = await target.db.thread.findMany({ where: { activeRunId: { not: null } }, select: { id: true } });
  for (const thread of running) {
    await changeThread(target, thread.id, (change) => cancelUnfinishedRuns(target, change)).catch(ignoreNotFound);
  }
  return id;
}

/** The thread was deleted meanwhile. */
function ignoreNotFound(error: unknown): void {
  if (!(error instanceof NotFoundError)) throw error;
}

/** The server's context in a workspace. Throws NotFoundError unless the actor may enter it. */
async function enterWorkspace(ctx: DomainContext, id: string): Promise<DomainContext> {
  if (id === ctx.workspaceId) return ctx;
  await requireWorkspaces(ctx, [id]);
  return systemContext(ctx, id);
}
