/** The promise, or the signal's reason, whichever comes first: not everything that is waited for heeds a signal in time. */
export function untilAborted<T>(promise: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    // Also when nobody waits for it any more: a rejection that nobody hears ends the process.
    promise.then(resolve, reject).then(() => signal.removeEventListener('abort', abort));
  });
}
