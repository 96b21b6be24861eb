import type { Timing } from '../config/timing.ts';
import { FairPool, type TaskOwner } from './fair-pool.ts';
import type * as worker from './worker.ts';

export type { TaskOwner };

/** How many characters are counted per task. Even the slowest text of this length stays within the time limit. */
const maxCharacters = 300_000;

/** CPU-bound work on untrusted input, in worker threads: limited in time, and fair between workspaces and users. */
export class Offload {
  readonly #counting: FairPool<typeof worker>;
  readonly #checking: FairPool<typeof worker>;

  constructor({ countTokensMs, checkSchemaMs, queueMs, checkQueueMs }: Timing['offload']) {
    const shared = { worker: new URL('./worker.ts', import.meta.url), threads: 2 };
    this.#counting = new FairPool({ ...shared, timeoutMs: countTokensMs, maxWaitMs: queueMs });
    this.#checking = new FairPool({ ...shared, timeoutMs: checkSchemaMs, maxWaitMs: checkQueueMs });
  }

  /**
   * Returns the number of tokens of each text, in order. Stops after the first text with which the sum exceeds `limit`. Counts
   * are those of OpenAI's encoding o200k_base; texts that cannot be counted in time are estimated.
   */
  async countTokens(owner: TaskOwner, texts: readonly string[], limit = Number.POSITIVE_INFINITY): Promise<number[]> {
    const counts: number[] = [];
    let sum = 0;
    while (counts.length < texts.length && sum <= limit) {
      const batch = batchFrom(texts, counts.length);
      const counting = this.#counting.run(owner, 'countTokens', batch);
      for (const count of await counting.catch(() => batch.map(estimate))) {
        counts.push(count);
        sum += count;
        if (sum > limit) break;
      }
    }
    return counts;
  }

  /**
   * Checks a value against a JSON Schema. Returns the violations as one sentence, or null if the value is valid. Throws
   * OffloadTimeoutError, and Error if the schema itself is invalid.
   */
  schemaFault(owner: TaskOwner, schema: Record<string, unknown>, value: unknown): Promise<string | null> {
    return this.#checking.run(owner, 'schemaFault', { schema, value });
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await Promise.all([this.#counting.close(), this.#checking.close()]);
  }
}

/** The texts from `start` on that are counted in one task: at least one. */
function batchFrom(texts: readonly string[], start: number): string[] {
  let end = start;
  for (let characters = 0; end < texts.length; end += 1) {
    characters += (texts[end] as string).length;
    if (characters > maxCharacters && end > start) break;
  }
  return texts.slice(start, end);
}

/** One token per three bytes: an upper estimate for most languages and models. */
const estimate = (text: string): number => Math.ceil(Buffer.byteLength(text) / 3);
