import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import type { Assistant } from '../../db/generated/client.ts';
import { Prisma } from '../../db/generated/client.ts';
import { isId, newId } from '../../id.ts';
import { requireKey, requireScope } from '../access/access.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError, NotFoundError } from '../error.ts';
import { fileIds, requireFiles } from '../file/file.ts';
import { deleteThread } from '../history/delete-thread.ts';
import { absentOr, clearable, metadata, metadataHolds, parse, searchIn, textUpTo } from '../input.ts';
import { assistantLimits, inputLimits } from '../limits.ts';
import { requireRoom } from '../quota.ts';
import { effectiveModel, generation } from '../run/generation.ts';
import { checkTools, tools } from '../tool/tool-input.ts';
import { currentWorkspace } from '../workspace/workspace.ts';

const fields = {
  ...generation,
  name: clearable(textUpTo(assistantLimits.name)),
  description: clearable(textUpTo(assistantLimits.description)),
  tools: absentOr(tools),
  fileIds,
  metadata: absentOr(metadata),
};
const createInput = z.object(fields);
const updateInput = z.object({ ...fields, id: z.string() });
const filterInput = z.object({
  search: absentOr(textUpTo(inputLimits.search)),
  model: absentOr(textUpTo(inputLimits.model)),
  metadata: absentOr(metadata),
});

/** The value of a JSON column; null is written as NULL. */
const jsonColumn = (value: object | null | undefined) => (value === null ? Prisma.DbNull : value);

/** Creates an assistant. Throws InvalidInputError for a model that no configured provider has. */
export async function createAssistant(ctx: DomainContext, input: unknown): Promise<Assistant> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const { responseFormat, providerOptions, fileIds, ...data } = parse(createInput, input);
  const model = data.model && effectiveModel(ctx, data.model, null);
  const id = newId('Assistant');
  return ctx.db.$transaction(async (tx) => {
    const { perWorkspace } = assistantLimits;
    requireRoom(await tx.assistant.count({ take: perWorkspace }), perWorkspace, 'assistants in a workspace');
    await checkTools(ctx, tx, data.tools);
    const assistant = await tx.assistant.create({
      data: {
        ...data,
        model,
        tools: data.tools as Prisma.InputJsonValue | undefined,
        responseFormat: jsonColumn(responseFormat),
        providerOptions: jsonColumn(providerOptions as Prisma.InputJsonObject | null | undefined),
        workspaceId: ctx.workspaceId,
        id,
      },
    });
    await setAssistantFiles(ctx, tx, id, fileIds);
    return assistant;
  });
}

/**
 * Replaces the files of an assistant; absent: keeps them. Throws NotFoundError for a file that the actor cannot see.
 */
async function setAssistantFiles(ctx: DomainContext, tx: Transaction, assistantId: string, ids: string[] | undefined) {
  if (ids === undefined) return;
  await requireFiles(ctx, tx, ids);
  await tx.assistantFile.deleteMany({ where: { assistantId } });
  const { workspaceId } = ctx;
  const data = [...new Set(ids)].map((fileId) => ({ workspaceId, assistantId, fileId }));
  if (data.length > 0) await tx.assistantFile.createMany({ data });
}

/** Updates an assistant: absent keeps, null clears. Existing runs keep the configuration they were created with. */
export async function updateAssistant(ctx: DomainContext, input: unknown): Promise<Assistant> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const { id, responseFormat, providerOptions, fileIds, ...data } = parse(updateInput, input);
  const model = data.model && effectiveModel(ctx, data.model, null);
  if (!isId('Assistant', id)) throw new NotFoundError(id);
  return ctx.db.$transaction(async (tx) => {
    await checkTools(ctx, tx, data.tools);
    const [assistant] = await tx.assistant.updateManyAndReturn({
      where: { id },
      data: {
        ...data,
        model,
        tools: data.tools as Prisma.InputJsonValue | undefined,
        responseFormat: jsonColumn(responseFormat),
        providerOptions: jsonColumn(providerOptions as Prisma.InputJsonObject | null | undefined),
      },
    });
    if (!assistant) throw new NotFoundError(id);
    await setAssistantFiles(ctx, tx, id, fileIds);
    return assistant;
  });
}

/**
 * Deletes an assistant. Throws ConflictError while threads use it, unless `deleteThreads` is set: then its threads are
 * deleted first, and their runs are cancelled. Runs and messages of other threads stay and lose the link to it.
 */
export async function deleteAssistant(ctx: DomainContext, input: unknown): Promise<string> {
  requireScope(ctx, 'ASSISTANTS_WRITE');
  requireKey(ctx);
  const { id, deleteThreads } = parse(z.object({ id: z.string(), deleteThreads: absentOr(z.boolean()) }), input);
  if (!isId('Assistant', id)) throw new NotFoundError(id);
  if (deleteThreads) {
    requireScope(ctx, 'THREADS_WRITE');
    const where = { assistantId: id, deletedAt: null };
    const threads = await ctx.db.thread.findMany({ where, select: { id: true } });
    for (const thread of threads) await deleteThread(ctx, thread);
  }
  await ctx.db.$transaction(async (tx) => {
    // Concurrent creations of threads with this assistant wait for the lock and then do not find it.
    await tx.$queryRaw`SELECT 1 FROM "Assistant" WHERE "workspaceId" = ${ctx.workspaceId} AND "id" = ${id} FOR UPDATE`;
    const threads = await tx.thread.count({ where: { assistantId: id, deletedAt: null } });
    if (threads > 0) {
      throw new ConflictError(
        `${threads} threads use this assistant. Move or delete them, or set deleteThreads: true.`,
      );
    }
    const { count } = await tx.assistant.deleteMany({ where: { id } });
    if (count === 0) throw new NotFoundError(id);
  });
  return id;
}

/** The `where` of a filter over assistants. */
export async function assistantsWhere(ctx: DomainContext, input: unknown): Promise<Prisma.AssistantWhereInput> {
  const { search, model, metadata } = parse(filterInput, input ?? {});
  return {
    AND: [
      search ? { OR: searchIn(['name', 'description'], search) } : {},
      model ? await assistantsOfModel(ctx, model) : {},
      ...metadataHolds(metadata ?? {}),
    ],
  };
}

async function assistantsOfModel(ctx: DomainContext, name: string): Promise<Prisma.AssistantWhereInput> {
  const model = effectiveModel(ctx, name, null);
  const { defaultModel } = await currentWorkspace(ctx);
  const byDefault = effectiveModel(ctx, null, defaultModel) === model;
  return byDefault ? { OR: [{ model }, { model: null }] } : { model };
}
