import type { ApiKey, Scope } from '../../db/generated/client.ts';
import type { Actor, DomainContext } from '../context.ts';
import { ForbiddenError } from '../error.ts';

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

/** What a credential can do, to compare two of them. */
export interface Power {
  scopes: readonly Scope[];
  /** The workspaces that may be entered. */
  reach: Reach;
  expiresAt: Date | null;
}

/** The workspaces that a key may enter. */
type Reach = 'ALL' | readonly string[];

/** A key with what says how far it reaches. */
export type KeyWithEntries = ApiKey & { entries: Array<{ workspaceId: string }> };

/** The columns of a key that say what it can do. */
type PowerColumns = Pick<KeyWithEntries, 'scopes' | 'expiresAt' | 'allWorkspaces' | 'workspaceId' | 'entries'>;

/** What a key can do. It may enter its own workspace and those it was let into, or all. */
export function powerOf({ scopes, expiresAt, allWorkspaces, workspaceId, entries }: PowerColumns): Power {
  const isEverywhere = allWorkspaces || scopes.includes('SERVER_ADMIN');
  return {
    scopes,
    expiresAt,
    reach: isEverywhere ? 'ALL' : [workspaceId, ...entries.map((entry) => entry.workspaceId)],
  };
}

/** Throws ForbiddenError when `other` can do anything that the key cannot: nobody gives what they do not have. */
export function requireCovers(key: Power, other: Power): void {
  const missing = other.scopes.find((scope) => !key.scopes.includes(scope));
  if (missing) throw new ForbiddenError(missing, `Your own key does not have the scope ${missing}.`);
  const { reach } = key;
  const isWithin = reach === 'ALL' || (other.reach !== 'ALL' && other.reach.every((id) => reach.includes(id)));
  if (!isWithin) throw new ForbiddenError(null, 'Your own key may not enter all of these workspaces.');
  if (key.expiresAt !== null && (other.expiresAt === null || other.expiresAt > key.expiresAt)) {
    throw new ForbiddenError(null, `Your own key ends at ${key.expiresAt.toISOString()}: this one may not outlive it.`);
  }
}
