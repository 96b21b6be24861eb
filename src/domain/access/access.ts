import type { ApiKey, Scope } from '../../db/generated/client.ts';
import type { DomainContext } from '../context.ts';
import { ForbiddenError } from '../error.ts';
import type { Actor, Grant } from './actor.ts';

/** Throws ForbiddenError unless the actor has the scope. */
export function requireScope(ctx: Pick<DomainContext, 'actor'>, scope: Scope): void {
  if (ctx.actor.kind !== 'SYSTEM' && !ctx.actor.scopes.includes(scope)) throw new ForbiddenError(scope);
}

/** Refuses end users what only a key may do, whatever scopes their token has. */
export function requireKey(ctx: Pick<DomainContext, 'actor'>): Extract<Actor, { kind: 'API_KEY' }> {
  if (ctx.actor.kind === 'API_KEY') return ctx.actor;
  throw new ForbiddenError(null, 'An end user may not do this; an API key may.');
}

/** What an end user's token can have: they may use assistants, but not change them, nor anything that is not theirs. */
export const userScopes: readonly Scope[] = [
  'ASSISTANTS_READ',
  'THREADS_READ',
  'THREADS_WRITE',
  'RUNS_READ',
  'RUNS_WRITE',
];

/** A key with what says how far it reaches. */
export type KeyWithWorkspaces = ApiKey & { otherWorkspaces: Array<{ workspaceId: string }> };

/** The columns of a key that say what it can do. */
type GrantColumns = Pick<
  KeyWithWorkspaces,
  'scopes' | 'expiresAt' | 'allWorkspaces' | 'workspaceId' | 'otherWorkspaces'
>;

/** What a key can do. It may enter its own workspace and those it was let into, or all. */
export function grantOf({ scopes, expiresAt, allWorkspaces, workspaceId, otherWorkspaces }: GrantColumns): Grant {
  const isEverywhere = allWorkspaces || scopes.includes('SERVER_ADMIN');
  return {
    scopes,
    expiresAt,
    workspaces: isEverywhere ? 'ALL' : [workspaceId, ...otherWorkspaces.map(({ workspaceId: id }) => id)],
  };
}

/** Throws ForbiddenError when `other` can do anything that the key cannot: nobody gives what they do not have. */
export function requireWithinOwn(key: Grant, other: Grant): void {
  const missing = other.scopes.find((scope) => !key.scopes.includes(scope));
  if (missing) throw new ForbiddenError(missing, `Your own key does not have the scope ${missing}.`);
  const { workspaces } = key;
  const isWithin =
    workspaces === 'ALL' || (other.workspaces !== 'ALL' && other.workspaces.every((id) => workspaces.includes(id)));
  if (!isWithin) throw new ForbiddenError(null, 'Your own key may not enter all of these workspaces.');
  if (key.expiresAt !== null && (other.expiresAt === null || other.expiresAt > key.expiresAt)) {
    throw new ForbiddenError(null, `Your own key ends at ${key.expiresAt.toISOString()}: this one may not outlive it.`);
  }
}
