// Following a run or a thread so that nothing is missed and nothing comes twice, whatever happens to the connection.
// Copy this file and the one of your client beside it; it needs nothing else.

/** What every event has: the place behind it. */
export interface Event {
  cursor: string;
}

/** Opens one connection and reads it until it ends: all events after a cursor, or from the first. */
export type Connect<E extends Event> = (after: string | null, signal: AbortSignal) => AsyncIterable<E>;

/** The server has said no: asking again would not help. */
export class Refused extends Error {
  readonly code: string | undefined;
  constructor({ message, extensions }: GraphError) {
    super(message);
    this.code = extensions?.code as string | undefined;
  }
}

/** An error as GraphQL servers send it. */
export interface GraphError {
  message: string;
  extensions?: Record<string, unknown>;
}

/** Errors that pass: with these the connection is made again. */
const passing = new Set<unknown>(['INTERNAL_SERVER_ERROR', 'RATE_LIMITED']);

/** Throws what an answer refuses, so that a broken connection and a refusal can be told apart. */
export function refuse(errors: readonly GraphError[] | undefined): void {
  const [error] = errors ?? [];
  if (!error) return;
  throw passing.has(error.extensions?.code) ? new Error(error.message) : new Refused(error);
}

/**
 * Every event once and in order, over as many connections as it takes: after each break it connects again, later and later,
 * and goes on behind the last event that it gave out. Ends when the server says that there is no more, or the signal aborts;
 * throws Refused. Keep `cursor` of the last event to go on later with `after`, on another machine if need be.
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
    // Not all at the same moment, when a server with many followers has restarted.
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

/** What clients call that tell of results by callbacks. */
export interface Sink<T> {
  next(value: T): void;
  error(error: unknown): void;
  complete(): void;
}

/** The results of a client with callbacks, one after the other. `subscribe` returns what ends it. */
export async function* iterate<T>(
  subscribe: (sink: Sink<T>) => () => void,
  signal: AbortSignal,
): AsyncGenerator<T, void> {
  const waiting: T[] = [];
  let end: { error?: unknown } | null = signal.aborted ? {} : null;
  let wake = () => {};
  const finish = (how: { error?: unknown }) => {
    end ??= how;
    wake();
  };
  const stop = () => finish({});
  signal.addEventListener('abort', stop);
  const unsubscribe = subscribe({
    next: (value) => {
      waiting.push(value);
      wake();
    },
    error: (error) => finish({ error }),
    complete: () => finish({}),
  });
  try {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift() as T;
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
