import { Piscina } from 'piscina';
import type * as worker from './worker.ts';

/** After so long without work a thread ends, and what it has loaded with it. */
const idleMs = 60_000;
/** Nobody waits longer for an answer; a thread that is at it is ended. */
const timeoutMs = 5000;

/** The question took too long: a schema, or a text, made to keep a server busy. */
export class OffloadTimeoutError extends Error {}

/** Work whose time whoever sends it can choose: it is done in threads of its own, and not for ever. */
export class Offload {
  readonly #pool = new Piscina({
    filename: new URL('./worker.ts', import.meta.url).href,
    minThreads: 0,
    maxThreads: 2,
    idleTimeout: idleMs,
  });

  /** About how many tokens each of some texts has. Throws OffloadTimeoutError. */
  countTokens(texts: string[]): ReturnType<typeof worker.countTokens> {
    return this.#run('countTokens', texts);
  }

  /**
   * What about a value does not fit a JSON Schema, in a sentence; null: it fits. Throws OffloadTimeoutError, and what is
   * wrong with the schema.
   */
  schemaFault(schema: Record<string, unknown>, value: unknown): Promise<ReturnType<typeof worker.schemaFault>> {
    return this.#run('schemaFault', { schema, value } satisfies worker.SchemaQuestion);
  }

  async #run<T>(name: keyof typeof worker, question: unknown): Promise<T> {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      return (await this.#pool.run(question, { name, signal })) as T;
    } catch (error) {
      if (signal.aborted) throw new OffloadTimeoutError(`${name} took longer than ${timeoutMs / 1000} s`);
      throw error;
    }
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
