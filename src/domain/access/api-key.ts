import { z } from 'zod';
import { type ApiKey, type Prisma, Scope } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import { hashOf, newSecret, prefixOf } from '../../secret/key-secret.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError } from '../error.ts';
import { absentOr, clearable, nameUpTo, parse } from '../input.ts';
import { grantOf, requireWithinOwn } from './access.ts';
import { announceCredentialChange } from './credential-change.ts';
import { changeKeys } from './key-change.ts';
import { requireWorkspaces } from './key-workspaces.ts';

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

const unique = <T>(values: T[]): T[] => [...new Set(values)];

/**
 * Makes a key for the workspace of the request, and for others if named. It gets nothing that the key that makes it
 * does not have: no other scope, no other workspace, no longer life (absent: as long). Needs WORKSPACE_ADMIN. The secret is
 * in the answer and nowhere else.
 */
export async function createApiKey(ctx: DomainContext, input: unknown): Promise<{ apiKey: ApiKey; secret: string }> {
  const wanted = parse(createInput, input);
  const others = otherWorkspaces(ctx, wanted.workspaceIds ?? []);
  await requireWorkspaces(ctx, others);
  const secret = newSecret();
  const apiKey = await changeKeys(ctx, null, async (tx, actor) => {
    const key = {
      workspaceId: ctx.workspaceId,
      id: newId('ApiKey'),
      name: wanted.name,
      scopes: unique(wanted.scopes),
      allWorkspaces: wanted.allWorkspaces ?? false,
      expiresAt: wanted.expiresAt ?? actor.expiresAt,
    };
    requireWithinOwn(actor, grantOf({ ...key, otherWorkspaces: others.map((id) => ({ workspaceId: id })) }));
    const created = await tx.apiKey.create({ data: { ...key, prefix: prefixOf(secret) } });
    await tx.apiKeySecret.create({ data: { workspaceId: ctx.workspaceId, keyId: key.id, hash: hashOf(ctx, secret) } });
    await enter(ctx, tx, key.id, others);
    return created;
  });
  return { apiKey, secret };
}

const otherWorkspaces = (ctx: DomainContext, ids: string[]) => unique(ids).filter((id) => id !== ctx.workspaceId);

/** Lets a key into other workspaces. */
async function enter(ctx: DomainContext, tx: Prisma.TransactionClient, keyId: string, workspaceIds: string[]) {
  await tx.apiKeyWorkspace.createMany({
    data: workspaceIds.map((workspaceId) => ({ workspaceId, homeWorkspaceId: ctx.workspaceId, keyId })),
    skipDuplicates: true,
  });
}

/** Changes a key: absent keeps, null clears. It can get nothing that the key that changes it does not have. */
export async function updateApiKey(ctx: DomainContext, input: unknown): Promise<ApiKey> {
  const { id, workspaceIds, ...data } = parse(updateInput, input);
  const others = workspaceIds && otherWorkspaces(ctx, workspaceIds);
  await requireWorkspaces(ctx, others ?? []);
  const changed = await changeKeys(ctx, id, async (tx, actor, key) => {
    const otherWorkspaces = others?.map((workspaceId) => ({ workspaceId })) ?? key.otherWorkspaces;
    const defined = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));
    requireWithinOwn(actor, grantOf({ ...key, ...defined, otherWorkspaces }));
    if (others) {
      await enter(ctx, tx, id, others);
      const gone = { homeWorkspaceId: ctx.workspaceId, keyId: id, workspaceId: { notIn: others } };
      await tx.apiKeyWorkspace.deleteMany({ where: gone });
    }
    return tx.apiKey.update({ where: { id }, data });
  });
  announceCredentialChange(ctx);
  return changed;
}

/**
 * Gives a key a new secret. The one it had is good for another `graceSeconds` (default 3600), so that programs can be
 * changed one by one. Throws ConflictError for a key that has ended.
 */
export async function rotateApiKey(ctx: DomainContext, input: unknown): Promise<{ apiKey: ApiKey; secret: string }> {
  const { id, graceSeconds = 3600 } = parse(rotateInput, input);
  const secret = newSecret();
  const apiKey = await changeKeys(ctx, id, async (tx, _actor, key) => {
    if (key.revokedAt || (key.expiresAt && key.expiresAt <= new Date())) {
      throw new ConflictError('The key has ended: make a new one.');
    }
    const { workspaceId } = ctx;
    const validUntil = new Date(Date.now() + graceSeconds * 1000);
    const isLonger = { OR: [{ validUntil: null }, { validUntil: { gt: validUntil } }] };
    await tx.apiKeySecret.updateMany({ where: { workspaceId, keyId: id, ...isLonger }, data: { validUntil } });
    const isLongGone = { validUntil: { lt: new Date(Date.now() - 86_400_000) } };
    await tx.apiKeySecret.deleteMany({ where: { workspaceId, keyId: id, ...isLongGone } });
    await tx.apiKeySecret.create({ data: { workspaceId, keyId: id, hash: hashOf(ctx, secret) } });
    return tx.apiKey.update({ where: { id }, data: { prefix: prefixOf(secret) } });
  });
  announceCredentialChange(ctx);
  return { apiKey, secret };
}

/** Ends a key at once, with all session tokens that were made with it. Doing so twice changes nothing. */
export async function revokeApiKey(ctx: DomainContext, input: unknown): Promise<ApiKey> {
  const { id } = parse(z.object({ id: z.string() }), input);
  const apiKey = await changeKeys(ctx, id, async (tx, _actor, key) =>
    key.revokedAt ? key : tx.apiKey.update({ where: { id }, data: { revokedAt: new Date() } }),
  );
  announceCredentialChange(ctx);
  return apiKey;
}
