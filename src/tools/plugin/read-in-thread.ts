import { Worker } from 'node:worker_threads';
import { InvalidPluginError } from '../plugin.ts';
import type { ReadOperations } from './limits.ts';
import type { HttpOperation, OpenApiOptions } from './openapi.ts';

/** How long a thread is kept that reads nothing: starting one takes longer than most documents. */
const idleMs = 30_000;

interface Answer {
  read?: ReadOperations<HttpOperation>;
  fault?: string;
}

/** A thread that reads one document at a time. */
class ReadingThread {
  readonly #worker = new Worker(new URL('./openapi-thread.ts', import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: 512 },
    env: {},
  });
  #settle: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.#worker.on('message', (answer: Answer) => this.#settle?.resolve(answer));
    this.#worker.on('error', (error: Error) => this.#settle?.reject(error));
    this.#worker.on('exit', () => this.#settle?.reject(new Error('the thread has ended')));
    // Nobody stays for it alone.
    this.#worker.unref();
  }

  /** Asks for a document. Rejects with what ended the thread, or with the signal's reason. */
  read(text: string, options: OpenApiOptions, signal: AbortSignal): Promise<Answer> {
    clearTimeout(this.#timer);
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.#worker.postMessage({ text, options });
    });
  }

  /** It may be asked again; after a while without it calls `end`. */
  rest(end: () => void): void {
    this.#settle = null;
    this.#timer = setTimeout(end, idleMs).unref();
  }

  /** Ends it, whatever it is at. */
  async end(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#worker.terminate();
  }
}

let idle: ReadingThread[] = [];

function keep(thread: ReadingThread): void {
  idle.push(thread);
  thread.rest(() => {
    idle = idle.filter((one) => one !== thread);
    void thread.end();
  });
}

/**
 * Reads an OpenAPI document in a thread of its own: what one refers to can be made to take for ever. Throws InvalidPluginError,
 * which says what is wrong with it; the signal's reason when it aborts.
 */
export async function readInThread(
  text: string,
  options: OpenApiOptions,
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
): Promise<ReadOperations<HttpOperation>> {
  signal.throwIfAborted();
  const thread = idle.pop() ?? new ReadingThread();
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const { read, fault } = await thread.read(text, options, AbortSignal.any([signal, timeout]));
    keep(thread);
    if (read) return read;
    throw new InvalidPluginError(fault ?? 'The document could not be read.');
  } catch (error) {
    if (error instanceof InvalidPluginError) throw error;
    await thread.end();
    signal.throwIfAborted();
    // It has run out of time or of memory.
    throw new InvalidPluginError('The document is too complicated to be read: leave out what is not called.');
  }
}
