import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from './log.ts';

/** The time limit of a step that does not drain work, in milliseconds. */
const stepMs = 5000;
/** The part of the whole time that steps after one that takes too long can still use. */
const reserve = 1 / 6;

interface Step {
  name: string;
  close: () => Promise<unknown>;
  isDrain: boolean;
}

/** The steps of a shutdown. They run in the reverse order of their addition, each within a time limit. */
export class Closing {
  readonly #steps: Step[] = [];

  /** `isDrain`: the step ends work that is under way, and may take nearly all the time that is left. */
  add(name: string, close: () => Promise<unknown>, { isDrain = false } = {}): void {
    this.#steps.unshift({ name, close, isDrain });
  }

  /**
   * Runs the steps one after the other, within `limitMs` milliseconds. A step that fails is logged and does not stop the others;
   * one that takes too long is abandoned. Returns the names of the abandoned steps.
   */
  async run(log: Logger, limitMs: number): Promise<string[]> {
    const steps = this.#steps.splice(0);
    const drainUntil = performance.now() + limitMs * (1 - reserve);
    const leastMs = (limitMs * reserve) / Math.max(steps.length, 1);
    const abandoned: string[] = [];
    for (const { name, close, isDrain } of steps) {
      const leftMs = drainUntil - performance.now();
      const isDone = await endsWithin(Math.max(isDrain ? leftMs : Math.min(leftMs, stepMs), leastMs), () =>
        close().catch((error) => log.error({ err: error, step: name }, 'shutdown step failed')),
      );
      if (!isDone) abandoned.push(name);
    }
    if (abandoned.length > 0) log.error({ steps: abandoned }, 'shutdown steps abandoned');
    return abandoned;
  }
}

async function endsWithin(ms: number, work: () => Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const timeout = delay(ms, false, { signal: timer.signal }).catch(() => false);
  return Promise.race([work().then(() => true), timeout]).finally(() => timer.abort());
}
