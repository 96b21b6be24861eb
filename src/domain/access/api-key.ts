import { z } from 'zod';
import { type ApiKey, type Prisma, Scope } from '../../db/generated/client.ts';
import { newId } from '../../id.ts';
import { hashOf, newSecret, prefixOf } from '../../secret/key-secret.ts';
import type { DomainContext } from '../context.ts';
import { ConflictError } from '../error.ts';
import { absentOr, clearable, integer, listUpTo, nameUpTo, parse } from '../input.ts';
import { keyLimits } from '../limits.ts';
import { requireRoom } from '../quota.ts';
import { grantOf, requireWithinOwn } from './access.ts';
import { announceCredentialChange } from './credential-change.ts';
import { changeKeys } from './key-change.ts';
import { requireWorkspaces } from './key-workspaces.ts';

const scopes = listUpTo(z.enum(Scope), keyLimits.scopes, 'scopes').min(1, 'At least 1 scope');
const future = z.date().refine((date) => date > new Date(), 'Must be in the future');
const workspaceIds = listUpTo(z.string(), keyLimits.workspaces, 'workspaces; use allWorkspaces for more');

const createInput = z.object({
  name: nameUpTo(keyLimits.name),
  scopes,
  expiresAt: absentOr(future),
  workspaceIds: absentOr(workspaceIds),
  allWorkspaces: absentOr(z.boolean()),
});
const updateInput = z.object({
  id: z.string(),
  name: absentOr(nameUpTo(keyLimits.name)),
  scopes: absentOr(scopes),
  expiresAt: clearable(future),
  workspaceIds: absentOr(workspaceIds),
  allWorkspaces: absentOr(z.boolean()),
});
const rotateInput = z.object({
  id: z.string(),
  graceSeconds: absentOr(integer(0, keyLimits.graceSeconds, 'seconds')),
});

/** Expired secrets are kept for a day, so that clients that still use them learn that the key was rotated. */
const obsoleteAfterMs = 24 * 60 * 60 * 1000;

const unique = <T>(values: T[]): T[] => [...new Set(values)];

/**
 * Creates a key in the workspace of the request; `workspaceIds` name others that it may enter. The key cannot exceed
 * the acting key in scopes, workspaces or lifetime; without `expiresAt` it expires with the acting key. Requires
 * WORKSPACE_ADMIN. The secret is returned once and stored as a hash only.
 */
export async function createApiKey(ctx: DomainContext, input: unknown): Promise<{ apiKey: ApiKey; secret: string }> {
  const fields = parse(createInput, input);
  const others = otherWorkspaces(ctx, fields.workspaceIds ?? []);
  await requireWorkspaces(ctx, others);
  const secret = newSecret();
  const apiKey = await changeKeys(ctx, null, async (tx, actor) => {
    const { workspaceId } = ctx;
    const { perWorkspace } = keyLimits;
    requireRoom(
      await tx.apiKey.count({ where: { workspaceId }, take: perWorkspace }),
      perWorkspace,
      'keys in a workspace',
    );
    const key = {
      workspaceId: ctx.workspaceId,
      id: newId('ApiKey'),
      name: fields.name,
      scopes: unique(fields.scopes),
      allWorkspaces: fields.allWorkspaces ?? false,
      expiresAt: fields.expiresAt ?? actor.expiresAt,
    };
    requireWithinOwn(actor, grantOf({ ...key, otherWorkspaces: others.map((id) => ({ workspaceId: id })) }));
    const created = await tx.apiKey.create({ data: { ...key, prefix: prefixOf(secret) } });
    await tx.apiKeySecret.create({ data: { workspaceId: ctx.workspaceId, keyId: key.id, hash: hashOf(ctx, secret) } });
    await allowWorkspaces(ctx, tx, key.id, others);
    return created;
  });
  return { apiKey, secret };
}

const otherWorkspaces = (ctx: DomainContext, ids: string[]) => unique(ids).filter((id) => id !== ctx.workspaceId);

/** Allows a key to enter other workspaces. */
async function allowWorkspaces(
  ctx: DomainContext,
  tx: Prisma.TransactionClient,
  keyId: string,
  workspaceIds: string[],
) {
  await tx.apiKeyWorkspace.createMany({
    data: workspaceIds.map((workspaceId) => ({ workspaceId, homeWorkspaceId: ctx.workspaceId, keyId })),
    skipDuplicates: true,
  });
}

/** Updates a key: absent keeps, null clears. The key cannot be granted more than the acting key has. */
export async function updateApiKey(ctx: DomainContext, input: unknown): Promise<ApiKey> {
  const { id, workspaceIds, ...data } = parse(updateInput, input);
  const others = workspaceIds && otherWorkspaces(ctx, workspaceIds);
  await requireWorkspaces(ctx, others ?? []);
  const changed = await changeKeys(ctx, id, async (tx, actor, key) => {
    const otherWorkspaces = others?.map((workspaceId) => ({ workspaceId })) ?? key.otherWorkspaces;
    const defined = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined));
    requireWithinOwn(actor, grantOf({ ...key, ...defined, otherWorkspaces }));
    if (others) {
      await allowWorkspaces(ctx, tx, id, others);
      const removed = { homeWorkspaceId: ctx.workspaceId, keyId: id, workspaceId: { notIn: others } };
      await tx.apiKeyWorkspace.deleteMany({ where: removed });
    }
    return tx.apiKey.update({ where: { id }, data });
  });
  announceCredentialChange(ctx);
  return changed;
}

/**
 * Gives a key a new secret. The old one stays valid for `graceSeconds` (default 3600), so that programs can be switched
 * one by one. Throws ConflictError for a key that is revoked or expired, or that has too many secrets.
 */
export async function rotateApiKey(ctx: DomainContext, input: unknown): Promise<{ apiKey: ApiKey; secret: string }> {
  const { id, graceSeconds = 3600 } = parse(rotateInput, input);
  const secret = newSecret();
  const apiKey = await changeKeys(ctx, id, async (tx, _actor, key) => {
    if (key.revokedAt || (key.expiresAt && key.expiresAt <= new Date())) {
      throw new ConflictError('The key is revoked or expired. Create a new one.');
    }
    const { workspaceId } = ctx;
    const validUntil = new Date(Date.now() + graceSeconds * 1000);
    const isLonger = { OR: [{ validUntil: null }, { validUntil: { gt: validUntil } }] };
    await tx.apiKeySecret.updateMany({ where: { workspaceId, keyId: id, ...isLonger }, data: { validUntil } });
    const isObsolete = { validUntil: { lt: new Date(Date.now() - obsoleteAfterMs) } };
    await tx.apiKeySecret.deleteMany({ where: { workspaceId, keyId: id, ...isObsolete } });
    if ((await tx.apiKeySecret.count({ where: { workspaceId, keyId: id } })) >= keyLimits.secrets) {
      throw new ConflictError(
        `The key has had ${keyLimits.secrets} secrets lately. Rotate it again when one has expired for a day.`,
      );
    }
    await tx.apiKeySecret.create({ data: { workspaceId, keyId: id, hash: hashOf(ctx, secret) } });
    return tx.apiKey.update({ where: { id }, data: { prefix: prefixOf(secret) } });
  });
  announceCredentialChange(ctx);
  return { apiKey, secret };
}

/** Revokes a key and all session tokens that it issued, with immediate effect. Idempotent. */
export async function revokeApiKey(ctx: DomainContext, input: unknown): Promise<ApiKey> {
  const { id } = parse(z.object({ id: z.string() }), input);
  const apiKey = await changeKeys(ctx, id, async (tx, _actor, key) =>
    key.revokedAt ? key : tx.apiKey.update({ where: { id }, data: { revokedAt: new Date() } }),
  );
  announceCredentialChange(ctx);
  return apiKey;
}
