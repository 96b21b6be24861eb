// Streams the events of a run or a thread without gaps or duplicates, across lost connections.
// To use it, copy this file and the one for your client. It has no dependencies.

/** What `follow` needs of an event: the position after it. */
export interface Event {
  cursor: string;
}

/** Opens one connection and yields the events after a cursor until the stream completes; `after` null: from the start. */
export type Connect<E extends Event> = (after: string | null, signal: AbortSignal) => AsyncIterable<E>;

/** The server refused the subscription, or ended it for good: a new attempt would fail, too. */
export class Refused extends Error {
  readonly code: string | undefined;
  constructor({ message, extensions }: GraphError) {
    super(message);
    this.code = extensions?.code as string | undefined;
  }
}

/** An error in a GraphQL response. */
export interface GraphError {
  message: string;
  extensions?: Record<string, unknown>;
}

/** Codes of temporary errors: `follow` reconnects after these. */
const temporary = new Set<unknown>(['INTERNAL_SERVER_ERROR', 'RATE_LIMITED']);

/** Throws the first error of a response: as Refused, or as an Error if it is temporary. Does nothing without errors. */
export function refuse(errors: readonly GraphError[] | undefined): void {
  const [error] = errors ?? [];
  if (!error) return;
  throw temporary.has(error.extensions?.code) ? new Error(error.message) : new Refused(error);
}

/**
 * Yields every event exactly once and in order, over as many connections as necessary. After a lost connection it
 * reconnects with exponential backoff and resumes after the last event that it yielded. Ends when the server completes the
 * stream or the signal aborts; throws Refused. To resume later, also on another machine, store the `cursor` of the last
 * event and pass it as `after`.
 */
export async function* follow<E extends Event>(
  connect: Connect<E>,
  options: { after?: string | null; signal?: AbortSignal; firstWaitMs?: number; maxWaitMs?: number } = {},
): AsyncGenerator<E, void> {
  const { signal = new AbortController().signal, firstWaitMs = 250, maxWaitMs = 15_000 } = options;
  let after = options.after ?? null;
  let waitMs = firstWaitMs;
  while (!signal.aborted) {
    const connection = new AbortController();
    const close = () => connection.abort();
    signal.addEventListener('abort', close);
    try {
      for await (const event of connect(after, connection.signal)) {
        after = event.cursor;
        waitMs = firstWaitMs;
        yield event;
      }
      return;
    } catch (error) {
      if (error instanceof Refused) throw error;
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
    // Random, so that the clients of a restarted server do not all reconnect at the same moment.
    await pause(waitMs * (0.5 + Math.random() / 2), signal);
    waitMs = Math.min(waitMs * 2, maxWaitMs);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** The callbacks that a client library calls with its results. */
export interface Sink<T> {
  next(value: T): void;
  error(error: unknown): void;
  complete(): void;
}

/** Turns a client library with callbacks into an async iterator. `subscribe` returns a function that unsubscribes. */
export async function* iterate<T>(
  subscribe: (sink: Sink<T>) => () => void,
  signal: AbortSignal,
): AsyncGenerator<T, void> {
  const queue: T[] = [];
  let end: { error?: unknown } | null = signal.aborted ? {} : null;
  let wake = () => {};
  const finish = (result: { error?: unknown }) => {
    end ??= result;
    wake();
  };
  const stop = () => finish({});
  signal.addEventListener('abort', stop);
  const unsubscribe = subscribe({
    next: (value) => {
      queue.push(value);
      wake();
    },
    error: (error) => finish({ error }),
    complete: () => finish({}),
  });
  try {
    for (;;) {
      while (queue.length > 0) yield queue.shift() as T;
      if (end && 'error' in end) throw end.error;
      if (end) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    signal.removeEventListener('abort', stop);
    unsubscribe();
  }
}
