import { z } from 'zod';
import { type ApiKey, Scope } from '../db/generated/client.ts';
import { isId, newId } from '../id.ts';
import { hashOf, newSecret, prefixOf } from '../secret.ts';
import { type KeyWithEntries, powerOf, requireCovers, requireKey, requireScope } from './access.ts';
import type { DomainContext } from './context.ts';
import { announceCredentialChange } from './credential-change.ts';
import { ConflictError, NotFoundError } from './error.ts';
import { absentOr, clearable, nameUpTo, parse } from './input.ts';
import { requireWorkspaces } from './workspace.ts';

const scopes = z.array(z.enum(Scope)).min(1, 'Name at least one scope').max(100);
const future = z.date().refine((date) => date > new Date(), 'This must lie in the future');
const workspaceIds = z.array(z.string()).max(100, 'At most 100 workspaces, please; or allWorkspaces');

const createInput = z.object({
  name: nameUpTo(256),
  scopes,
  expiresAt: absentOr(future),
  workspaceIds: absentOr(workspaceIds),
  allWorkspaces: absentOr(z.boolean()),
});
const updateInput = z.object({
  id: z.string(),
  name: absentOr(nameUpTo(256)),
  scopes: absentOr(scopes),
  expiresAt: clearable(future),
  workspaceIds: absentOr(workspaceIds),
  allWorkspaces: absentOr(z.boolean()),
});
const rotateInput = z.object({
  id: z.string(),
  graceSeconds: absentOr(z.int().min(0, 'At least 0 s, please').max(2_592_000, 'At most 2592000 s (30 days), please')),
});

const withEntries = { entries: { select: { workspaceId: true } } } as const;

const unique = <T>(values: T[]): T[] => [...new Set(values)];

/**
 * Makes a key for the workspace of the request, and for others if named. It gets nothing that the key that makes it
 * does not have: no other scope, no other workspace, no longer life (absent: as long). Needs WORKSPACE_ADMIN. The secret is
 * in the answer and nowhere else.
 */
export async function createApiKey(ctx: DomainContext, input: unknown): Promise<{ apiKey: ApiKey; secret: string }> {
  requireScope(ctx, 'WORKSPACE_ADMIN');
  const maker = requireKey(ctx);
  const wanted = parse(createInput, input);
  const others = unique(wanted.workspaceIds ?? []).filter((id) => id !== ctx.workspaceId);
  await requireWorkspaces(ctx, others);
  const key = {
    workspaceId: ctx.workspaceId,
    id: newId('ApiKey'),
    name: wanted.name,
    scopes: unique(wanted.scopes),
    allWorkspaces: wanted.allWorkspaces ?? false,
    expiresAt: wanted.expiresAt ?? maker.expiresAt,
  };
  const reach = key.allWorkspaces || key.scopes.includes('SERVER_ADMIN') ? 'ALL' : [ctx.workspaceId, ...others];
  requireCovers(maker, { ...key, reach });
  const secret = newSecret();
  const apiKey = await ctx.db.$transaction(async (tx) => {
    const created = await tx.apiKey.create({ data: { ...key, prefix: prefixOf(secret) } });
    await tx.apiKeySecret.create({ data: { workspaceId: ctx.workspaceId, keyId: key.id, hash: hashOf(ctx, secret) } });
    return created;
  });
  await enter(ctx, key.id, others);
  return { apiKey, secret };
}

/** Lets a key into other workspaces. The rows are those workspaces', so no client that is bound to this one writes them. */
async function enter(ctx: DomainContext, keyId: string, workspaceIds: string[]): Promise<void> {
  await ctx.database.apiKeyEntry.createMany({
    data: workspaceIds.map((workspaceId) => ({ workspaceId, homeWorkspaceId: ctx.workspaceId, keyId })),
    skipDuplicates: true,
  });
}

/**
 * A key of the workspace that the actor may manage. Throws NotFoundError, ForbiddenError for one that can do more than
 * the actor's own, and ConflictError for the first key, which is the operator's.
 */
async function manageable(ctx: DomainContext, id: string): Promise<KeyWithEntries> {
  requireScope(ctx, 'WORKSPACE_ADMIN');
  const actor = requireKey(ctx);
  const key = isId('ApiKey', id) ? await ctx.db.apiKey.findFirst({ where: { id }, include: withEntries }) : null;
  if (!key) throw new NotFoundError(id);
  if (key.isFirst) throw new ConflictError('The first key is changed with ADMIN_KEY, where the server is started.');
  // Its own, too: a secret in its grace ends before the key does, and may not outlive that by way of a new one.
  requireCovers(actor, powerOf(key));
  return key;
}

/** Changes a key: absent keeps, null clears. It can get nothing that the key that changes it does not have. */
export async function updateApiKey(ctx: DomainContext, input: unknown): Promise<ApiKey> {
  const { id, workspaceIds, ...data } = parse(updateInput, input);
  const key = await manageable(ctx, id);
  const others = workspaceIds && unique(workspaceIds).filter((other) => other !== ctx.workspaceId);
  await requireWorkspaces(ctx, others ?? []);
  const entries = others?.map((workspaceId) => ({ workspaceId })) ?? key.entries;
  const defined = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));
  requireCovers(requireKey(ctx), powerOf({ ...key, ...defined, entries }));
  const where = { workspaceId_id: { workspaceId: ctx.workspaceId, id } };
  const changed = await ctx.db.apiKey.update({ where, data });
  if (others) {
    await enter(ctx, id, others);
    // Rows of other workspaces: the key's own workspace says which of them are its.
    const gone = { homeWorkspaceId: ctx.workspaceId, keyId: id, workspaceId: { notIn: others } };
    await ctx.database.apiKeyEntry.deleteMany({ where: gone });
  }
  announceCredentialChange(ctx);
  return changed;
}

/**
 * Gives a key a new secret. The one it had is good for another `graceSeconds` (default 3600), so that programs can be
 * changed one by one. Throws ConflictError for a key that has ended.
 */
export async function rotateApiKey(ctx: DomainContext, input: unknown): Promise<{ apiKey: ApiKey; secret: string }> {
  const { id, graceSeconds = 3600 } = parse(rotateInput, input);
  const key = await manageable(ctx, id);
  if (key.revokedAt || (key.expiresAt && key.expiresAt <= new Date())) {
    throw new ConflictError('The key has ended: make a new one.');
  }
  const secret = newSecret();
  const { workspaceId } = ctx;
  const validUntil = new Date(Date.now() + graceSeconds * 1000);
  const apiKey = await ctx.db.$transaction(async (tx) => {
    // Takes the row's lock first: of two rotations at once, the second ends what the first has made.
    const rotated = await tx.apiKey.update({
      where: { workspaceId_id: { workspaceId, id } },
      data: { prefix: prefixOf(secret) },
    });
    const isLonger = { OR: [{ validUntil: null }, { validUntil: { gt: validUntil } }] };
    await tx.apiKeySecret.updateMany({ where: { keyId: id, ...isLonger }, data: { validUntil } });
    await tx.apiKeySecret.deleteMany({ where: { keyId: id, validUntil: { lt: new Date(Date.now() - 86_400_000) } } });
    await tx.apiKeySecret.create({ data: { workspaceId, keyId: id, hash: hashOf(ctx, secret) } });
    return rotated;
  });
  announceCredentialChange(ctx);
  return { apiKey, secret };
}

/** Ends a key at once, with all session tokens that were made with it. Doing so twice changes nothing. */
export async function revokeApiKey(ctx: DomainContext, input: unknown): Promise<ApiKey> {
  const { id } = parse(z.object({ id: z.string() }), input);
  const key = await manageable(ctx, id);
  const where = { workspaceId_id: { workspaceId: ctx.workspaceId, id } };
  const apiKey = key.revokedAt ? key : await ctx.db.apiKey.update({ where, data: { revokedAt: new Date() } });
  announceCredentialChange(ctx);
  return apiKey;
}
