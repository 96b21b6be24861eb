import { RunOverride, type Workspace } from '../../db/generated/client.ts';
import { isId } from '../../id.ts';
import type { DomainContext } from '../context.ts';
import { ForbiddenError, NotFoundError } from '../error.ts';
import type { Actor, UserRights } from './actor.ts';

/** The part of a context that decides what is allowed. */
type Acting = { readonly actor: Actor };

/** The rights that a session token names itself; absent: those of the workspace. */
export type TokenRights = Partial<Pick<UserRights, 'assistantIds' | 'overrides'>>;

/** The columns of a workspace that hold the rights of its end users. */
export const rightsColumns = { userAssistantIds: true, userModels: true, userOverrides: true } as const;

/** The rights that a workspace gives to its end users. */
export function rightsOf(workspace: Pick<Workspace, keyof typeof rightsColumns>): UserRights {
  return {
    assistantIds: workspace.userAssistantIds as string[] | null,
    models: workspace.userModels as string[] | null,
    overrides: workspace.userOverrides,
  };
}

/** The rights of an end user: those that the token names replace those of the workspace. */
export function effectiveRights(ofWorkspace: UserRights, ofToken: TokenRights): UserRights {
  return {
    assistantIds: ofToken.assistantIds ?? ofWorkspace.assistantIds,
    models: ofWorkspace.models,
    overrides: ofToken.overrides ?? ofWorkspace.overrides,
  };
}

const isWithin = (some: readonly string[] | null, others: readonly string[] | null) =>
  others === null || some?.every((one) => others.includes(one)) === true;

/** Whether `now` lacks something that `before` has. */
export function hasLostRights(now: UserRights, before: UserRights): boolean {
  if (!isWithin(before.overrides, now.overrides)) return true;
  return !isWithin(before.assistantIds, now.assistantIds) || !isWithin(before.models, now.models);
}

/** The rights of an actor; null: it is no end user, and nothing is closed to it. */
export const rightsOfActor = ({ actor }: Acting): UserRights | null => (actor.kind === 'USER' ? actor.rights : null);

/** What the actor may choose for a run: everything, unless it is an end user. */
export const overridesOf = (ctx: Acting): readonly RunOverride[] =>
  rightsOfActor(ctx)?.overrides ?? Object.values(RunOverride);

/** How an operator opens a right, as the end of a sentence. */
const opening = (right: string) =>
  `in the input of createSessionToken, or in the workspace's settings at \`endUsers.${right}\``;

/**
 * Throws ForbiddenError for an end user without the override. `deed`: what the override allows, after "End users may".
 */
export function requireOverride(ctx: Acting, override: RunOverride, deed: string): void {
  if (overridesOf(ctx).includes(override)) return;
  const howTo = `To open it, add ${override} to \`overrides\` ${opening('overrides')}.`;
  throw new ForbiddenError(null, `End users may not ${deed}. ${howTo}`, override);
}

/** Throws ForbiddenError for an end user who may not use the assistant. Says nothing about whether it exists. */
export function requireUsableAssistant(ctx: Acting, id: string): void {
  if (mayUseAssistant(ctx, id)) return;
  const howTo = `To open it, add its ID to \`assistantIds\` ${opening('assistantIds')}.`;
  throw new ForbiddenError(null, `You may not use the assistant ${JSON.stringify(id.slice(0, 100))}. ${howTo}`);
}

/** Whether the actor may use an assistant. */
export function mayUseAssistant(ctx: Acting, id: string): boolean {
  const assistantIds = rightsOfActor(ctx)?.assistantIds ?? null;
  return assistantIds === null || assistantIds.includes(id);
}

/** Throws NotFoundError for an assistant that the workspace does not have. */
export async function requireAssistants({ db }: Pick<DomainContext, 'db'>, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const where = { id: { in: ids.filter((id) => isId('Assistant', id)) } };
  const found = new Set((await db.assistant.findMany({ where, select: { id: true } })).map(({ id }) => id));
  for (const id of ids) if (!found.has(id)) throw new NotFoundError(id);
}
