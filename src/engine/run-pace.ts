import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { DrainingLevel } from '../async/draining-level.ts';
import type { Party } from '../async/fair-slots.ts';
import { engineLimits } from './limits.ts';

const { userBytesPerSecond, userBurstBytes, userDebtSeconds } = engineLimits;

/**
 * How fast the models of each end user may answer. To receive and persist an answer takes time of the one event loop: an end
 * user whose answers are endless or follow one another without a pause waits for the next part, instead of all others.
 * API keys are not paced: `maxConcurrentRuns` limits their workspaces.
 */
export class RunPace {
  readonly #levels = new LRUCache<string, DrainingLevel>({ max: engineLimits.pacedUsers });

  /** Waits until the end user may call a model, and counts the call. Throws the reason of `signal`. */
  async call(party: Party, signal: AbortSignal): Promise<void> {
    const ms = this.#spend(party, engineLimits.callBytes);
    if (ms > 0) await pause(ms, signal);
  }

  /** Counts bytes of a response. Returns the milliseconds to wait before the next are read: `pauseMs` at most. */
  receive(party: Party, bytes: number): number {
    return Math.min(this.#spend(party, bytes), engineLimits.pauseMs);
  }

  /** Counts bytes. Returns the milliseconds until they are within the average. */
  #spend({ workspaceId, owner }: Party, bytes: number): number {
    if (owner === '') return 0;
    const key = `${workspaceId} ${owner}`;
    const known = this.#levels.get(key);
    const level = known ?? new DrainingLevel(userBytesPerSecond, userBurstBytes + userDebtSeconds * userBytesPerSecond);
    if (!known) this.#levels.set(key, level);
    level.add(bytes);
    return level.msUntilBelow(userBurstBytes);
  }
}

/** Waits. Throws the reason of `signal`. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}
