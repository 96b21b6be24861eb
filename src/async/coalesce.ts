/**
 * Returns a function that runs `work`, at most one run at a time. A call during a run starts one more run after it,
 * however many calls came meanwhile. The promise of a call settles with the first run that began after the call, so it
 * covers everything that was true when the call was made. The first run begins at once, within the call.
 */
export function coalesce(work: () => Promise<void>): () => Promise<void> {
  let next: PromiseWithResolvers<void> | null = null;
  let isRunning = false;
  const runAll = async () => {
    isRunning = true;
    while (next) {
      const { resolve, reject } = next;
      next = null;
      await work().then(resolve, reject);
    }
    isRunning = false;
  };
  return () => {
    next ??= Promise.withResolvers<void>();
    const { promise } = next;
    if (!isRunning) void runAll();
    return promise;
  };
}
