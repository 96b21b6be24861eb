import type { Timing } from '../config/timing.ts';
import { FairPool } from './fair-pool.ts';
import type * as worker from './worker.ts';

export { OffloadTimeoutError } from './fair-pool.ts';

/** How much text is counted at once: well within the time there is, however odd the text. */
const maxCharacters = 300_000;

/** Work whose time whoever sends it can choose: it is done in threads of its own, not for ever, and fairly. */
export class Offload {
  readonly #counting: FairPool;
  readonly #checking: FairPool;

  constructor({ countTokensMs, checkSchemaMs, queueMs, checkQueueMs }: Timing['offload']) {
    this.#counting = new FairPool({ threads: 2, timeoutMs: countTokensMs, maxWaitMs: queueMs });
    this.#checking = new FairPool({ threads: 2, timeoutMs: checkSchemaMs, maxWaitMs: checkQueueMs });
  }

  /**
   * About how many tokens some texts have, in their order, up to the first with which they are more than `limit`
   * together. Texts that cannot be counted in time are estimated. `owner`: whose texts they are.
   */
  async countTokens(owner: string, texts: readonly string[], limit = Number.POSITIVE_INFINITY): Promise<number[]> {
    const counts: number[] = [];
    let sum = 0;
    while (counts.length < texts.length && sum <= limit) {
      const batch = batchFrom(texts, counts.length);
      const question = this.#counting.run<number[]>(owner, 'countTokens', batch);
      for (const count of await question.catch(() => batch.map(estimate))) {
        counts.push(count);
        sum += count;
        if (sum > limit) break;
      }
    }
    return counts;
  }

  /**
   * What about a value does not fit a JSON Schema, in a sentence; null: it fits. Throws OffloadTimeoutError, and what is
   * wrong with the schema. `owner`: whose schema it is.
   */
  schemaFault(
    owner: string,
    schema: Record<string, unknown>,
    value: unknown,
  ): Promise<ReturnType<typeof worker.schemaFault>> {
    return this.#checking.run(owner, 'schemaFault', { schema, value } satisfies worker.SchemaQuestion);
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await Promise.all([this.#counting.close(), this.#checking.close()]);
  }
}

/** The texts from a place on that are counted together: one at least. */
function batchFrom(texts: readonly string[], start: number): string[] {
  let end = start;
  for (let characters = 0; end < texts.length; end += 1) {
    characters += (texts[end] as string).length;
    if (characters > maxCharacters && end > start) break;
  }
  return texts.slice(start, end);
}

/** Three bytes to a token: more than most languages and models need. */
const estimate = (text: string): number => Math.ceil(Buffer.byteLength(text) / 3);
