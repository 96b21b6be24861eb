import type { Scope } from '../db/generated/client.ts';
import type { DomainContext } from './context.ts';
import { ForbiddenError } from './error.ts';

/** Throws ForbiddenError unless the actor has the scope. */
export function requireScope(ctx: Pick<DomainContext, 'actor'>, scope: Scope): void {
  if (ctx.actor.kind !== 'SYSTEM' && !ctx.actor.scopes.includes(scope)) throw new ForbiddenError(scope);
}

/** Refuses end users what only a key may do, whatever scopes their token has. */
export function requireKey(ctx: Pick<DomainContext, 'actor'>): void {
  if (ctx.actor.kind === 'USER') throw new ForbiddenError(null, 'An end user may not do this; an API key may.');
}
