import type { MemoryHolder } from '../../async/shared-memory.ts';
import type { DomainContext } from '../../domain/context.ts';
import { serverLimits } from '../limits.ts';

/** Without a credential, next to nothing can be sent or read. */
export const anonymousHolder: MemoryHolder = { name: 'anonymous', share: serverLimits.userMemoryShare };

/** Whose memory the requests and responses of an actor take: an application sends much more than one end user. */
export function holderOf({ actor, workspaceId }: Pick<DomainContext, 'actor' | 'workspaceId'>): MemoryHolder {
  const { keyMemoryShare, userMemoryShare } = serverLimits;
  if (actor.kind === 'API_KEY') return { name: `key ${actor.keyId}`, share: keyMemoryShare };
  if (actor.kind !== 'USER') return anonymousHolder;
  return { name: `user ${workspaceId} ${actor.userId}`, share: userMemoryShare };
}
