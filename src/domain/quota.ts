import { QuotaExceededError } from './error.ts';

/**
 * Throws QuotaExceededError when `count` rows leave no room for `added` more. `things`: what is counted and where, for the
 * message. Concurrent requests can exceed a limit slightly where no lock serializes them.
 */
export function requireRoom(count: number, limit: number, things: string, added = 1): void {
  if (count + added > limit) throw new QuotaExceededError(`At most ${limit} ${things}.`, null);
}
