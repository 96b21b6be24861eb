import type { Timing } from '../../config/timing.ts';
import { FairPool } from '../../offload/fair-pool.ts';
import { documentLimits } from '../limits.ts';
import { InvalidPluginError } from '../plugin-source.ts';
import type * as worker from './document-worker.ts';
import type { HttpOperation, OpenApiOptions } from './openapi.ts';
import type { ReadOperations } from './operation-limits.ts';

/** Reads OpenAPI documents in worker threads: the references of a document can be made to take for ever. */
export class DocumentReader {
  readonly #pool: FairPool<typeof worker>;

  constructor({ readDocumentMs, queueMs }: Pick<Timing['offload'], 'readDocumentMs' | 'queueMs'>) {
    this.#pool = new FairPool<typeof worker>({
      worker: new URL('./document-worker.ts', import.meta.url),
      threads: 2,
      timeoutMs: readDocumentMs,
      maxWaitMs: queueMs,
      maxHeapMb: documentLimits.readerHeapMb,
    });
  }

  /**
   * Reads the operations of a document. `owner`: the workspace. Throws InvalidPluginError with what is wrong with the
   * document, and the signal's reason when it aborts.
   */
  async read(
    owner: string,
    text: string,
    options: OpenApiOptions,
    signal: AbortSignal,
  ): Promise<ReadOperations<HttpOperation>> {
    signal.throwIfAborted();
    const { read, fault } = await this.#pool.run(owner, 'readDocument', { text, options }, signal).catch((error) => {
      signal.throwIfAborted();
      const message = 'The document takes too much time or memory to read. Remove the operations that are not called.';
      throw new InvalidPluginError(message, { cause: error });
    });
    if (read) return read;
    throw new InvalidPluginError(fault);
  }

  /** Ends the threads. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}
