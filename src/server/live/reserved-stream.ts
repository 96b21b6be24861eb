import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Session } from '../session/session.ts';
import { SendLock } from './send-lock.ts';

/** An event stream with the results of many operations, from its reservation until it closes. */
export class ReservedStream {
  readonly token = randomUUID();
  /** The session that reserved it. */
  readonly session: Session;
  /** Aborted when the stream closes. */
  readonly closed = new AbortController();
  /** Held from the next result of an operation until that has been sent: the buffer is one result, not one per operation. */
  readonly sendLock = new SendLock();
  /** The requests of queries and mutations whose results have not been sent. */
  readonly results = new Set<object>();
  #accepted = 0;
  #completed = 0;
  #onIdle: (() => void) | null = null;

  constructor(session: Session) {
    this.session = session;
  }

  /** Counts an operation that will complete on the stream. */
  countOperation(): void {
    this.#accepted += 1;
  }

  /** Calls `close` once: when all operations have completed, or after `timeoutMs`. */
  closeWhenIdle(close: () => void, timeoutMs: number): void {
    const timer = setTimeout(() => this.#onIdle?.(), timeoutMs).unref();
    this.#onIdle = () => {
      clearTimeout(timer);
      this.#onIdle = null;
      close();
    };
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#completed >= this.#accepted) this.#onIdle?.();
  }

  /** Sends the events of graphql-sse as fast as the client reads them, until either side ends the stream. */
  async send(
    events: AsyncGenerator<string, void>,
    response: ServerResponse,
    onError: (error: unknown) => void,
  ): Promise<void> {
    const end = () => {
      this.sendLock.open();
      events.return().catch(onError);
    };
    response.once('close', end);
    this.closed.signal.addEventListener('abort', end);
    try {
      for await (const event of events) {
        if (response.closed) break;
        await write(response, event);
        if (event.startsWith('event: next')) this.sendLock.release();
        if (!event.startsWith('event: complete')) continue;
        this.#completed += 1;
        this.#checkIdle();
      }
    } finally {
      this.closed.abort();
      response.end();
    }
  }
}

/** Resolves when the operating system has taken the text, or the response has closed. */
function write(response: ServerResponse, text: string): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve);
    response.write(text, () => {
      response.off('close', resolve);
      resolve();
    });
  });
}
