import { Worker } from 'node:worker_threads';
import { InvalidPluginError } from '../tool.ts';
import type { ReadOperations } from './limits.ts';
import type { HttpOperation, OpenApiOptions } from './openapi.ts';

const timeoutMs = 15_000;

/**
 * Reads an OpenAPI document in a thread of its own: what one refers to can be made to take for ever. Throws InvalidPluginError,
 * which says what is wrong with it; the signal's reason when it aborts.
 */
export async function readInThread(
  text: string,
  options: OpenApiOptions,
  signal: AbortSignal,
): Promise<ReadOperations<HttpOperation>> {
  signal.throwIfAborted();
  const thread = new Worker(new URL('./openapi-thread.ts', import.meta.url), {
    workerData: { text, options },
    resourceLimits: { maxOldGenerationSizeMb: 512 },
    env: {},
  });
  const tooMuch = new InvalidPluginError('The document is too complicated to be read: leave out what is not called.');
  let timer: NodeJS.Timeout | undefined;
  const abort = () => thread.emit('error', signal.reason);
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(tooMuch), timeoutMs);
      thread.once('message', ({ read, fault }) => (read ? resolve(read) : reject(new InvalidPluginError(fault))));
      thread.once('error', (error: NodeJS.ErrnoException) => {
        reject(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooMuch : error);
      });
      thread.once('exit', () => reject(tooMuch));
      signal.addEventListener('abort', abort, { once: true });
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    await thread.terminate();
  }
}
