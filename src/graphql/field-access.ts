import { requireKey, requireScope } from '../domain/access/access.ts';
import { requireOverride } from '../domain/access/user-rights.ts';
import type { DomainContext } from '../domain/context.ts';
import { ForbiddenError } from '../domain/error.ts';
import { permissionOf, userRuleOf } from './permissions.ts';

type Acting = Pick<DomainContext, 'actor'>;

/** Throws ForbiddenError unless the actor may read or call a field (`permissions.ts`). */
export function requireField(ctx: Acting, type: string, field: string): void {
  const { permission } = permissionOf(type, field);
  if (permission === 'API_KEY') requireKey(ctx);
  else if (permission !== 'ANY_CREDENTIAL' && permission !== 'PARENT') {
    for (const scope of [permission].flat()) requireScope(ctx, scope as never);
  }
  const rule = ctx.actor.kind === 'USER' ? userRuleOf(type, field)?.rule : undefined;
  if (rule === 'NEVER') throw new ForbiddenError(null, `End users may not read \`${type}.${field}\`.`);
  if (rule !== undefined) requireOverride(ctx, rule, `read \`${type}.${field}\``);
}

/** The error of `requireField`; null: the actor may read the field. */
export function refusalOf(ctx: Acting, type: string, field: string): ForbiddenError | null {
  try {
    requireField(ctx, type, field);
    return null;
  } catch (error) {
    if (error instanceof ForbiddenError) return error;
    throw error;
  }
}
