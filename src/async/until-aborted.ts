/**
 * Settles with the promise, or rejects with the signal's reason if the signal aborts first. For work that reacts late, or
 * never, to its signal.
 */
export function untilAborted<T>(promise: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    // The promise keeps its handlers after an abort: an unhandled rejection would end the process.
    promise.then(resolve, reject).then(() => signal.removeEventListener('abort', abort));
  });
}
