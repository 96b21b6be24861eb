import type { ApiKey, Scope } from '../../db/generated/client.ts';
import type { DomainContext } from '../context.ts';
import { ForbiddenError } from '../error.ts';
import type { Actor, Grant } from './actor.ts';

/** Throws ForbiddenError unless the actor has the scope. */
export function requireScope(ctx: Pick<DomainContext, 'actor'>, scope: Scope): void {
  if (ctx.actor.kind !== 'SYSTEM' && !ctx.actor.scopes.includes(scope)) throw new ForbiddenError(scope);
}

/** Throws ForbiddenError unless the actor is an API key. */
export function requireKey(ctx: Pick<DomainContext, 'actor'>): Extract<Actor, { kind: 'API_KEY' }> {
  if (ctx.actor.kind === 'API_KEY') return ctx.actor;
  throw new ForbiddenError(null, 'Only an API key may do this, not an end user.');
}

/** The scopes that an end user can have: they can use assistants but not change them. */
export const userScopes: readonly Scope[] = [
  'ASSISTANTS_READ',
  'THREADS_READ',
  'THREADS_WRITE',
  'RUNS_READ',
  'RUNS_WRITE',
];

/** A key with the IDs of the other workspaces that it may enter. */
export type KeyWithWorkspaces = ApiKey & { otherWorkspaces: Array<{ workspaceId: string }> };

/** The columns of a key that determine its grant. */
type GrantColumns = Pick<
  KeyWithWorkspaces,
  'scopes' | 'expiresAt' | 'allWorkspaces' | 'workspaceId' | 'otherWorkspaces'
>;

/** The grant of a key. It covers the key's own workspace and the others that are listed, or all workspaces. */
export function grantOf({ scopes, expiresAt, allWorkspaces, workspaceId, otherWorkspaces }: GrantColumns): Grant {
  const isEverywhere = allWorkspaces || scopes.includes('SERVER_ADMIN');
  return {
    scopes,
    expiresAt,
    workspaces: isEverywhere ? 'ALL' : [workspaceId, ...otherWorkspaces.map(({ workspaceId: id }) => id)],
  };
}

/** The earliest of some expiry dates; null: none of them is set. */
export function earliest(...dates: Array<Date | null>): Date | null {
  const ends = dates.filter((date) => date !== null);
  return ends.length === 0 ? null : new Date(Math.min(...ends.map(Number)));
}

/** Throws ForbiddenError when `other` exceeds the grant of `key`: a key cannot grant more than it has. */
export function requireWithinOwn(key: Grant, other: Grant): void {
  const missing = other.scopes.find((scope) => !key.scopes.includes(scope));
  if (missing) throw new ForbiddenError(missing, `Your own key lacks the scope ${missing}.`);
  const { workspaces } = key;
  const isWithin =
    workspaces === 'ALL' || (other.workspaces !== 'ALL' && other.workspaces.every((id) => workspaces.includes(id)));
  if (!isWithin) throw new ForbiddenError(null, 'Your own key may not enter all of these workspaces.');
  if (key.expiresAt !== null && (other.expiresAt === null || other.expiresAt > key.expiresAt)) {
    throw new ForbiddenError(null, `Your own key expires at ${key.expiresAt.toISOString()}: choose no later time.`);
  }
}
