import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Session } from '../session/session.ts';
import { SendLock } from './send-lock.ts';

/** How long operations have to say why they end, when their credential has. */
const lastWordsMs = 5000;

/** An event stream for the answers of many operations, from its reservation until it closes. */
export class ReservedStream {
  readonly token = randomUUID();
  /** Whose it is. */
  readonly session: Session;
  /** Aborted when it closes. */
  readonly closed = new AbortController();
  /** One event at a time is on its way to the client, whatever the number of operations. */
  readonly sendLock = new SendLock();
  /** The queries and mutations whose answers are on their way, as they were sent. */
  readonly answers = new Set<object>();
  /** How many operations have been taken, and of how many the client has the last word. */
  #accepted = 0;
  #completed = 0;
  #whenQuiet: (() => void) | null = null;

  constructor(session: Session) {
    this.session = session;
  }

  /** An operation will be answered on it. */
  countOperation(): void {
    this.#accepted += 1;
  }

  /**
   * Closes it when all its operations have said their last word, or when they had the time to: each hears for itself that the
   * credential has ended. `close` is called once.
   */
  closeWhenQuiet(close: () => void): void {
    const timer = setTimeout(() => this.#whenQuiet?.(), lastWordsMs).unref();
    this.#whenQuiet = () => {
      clearTimeout(timer);
      this.#whenQuiet = null;
      close();
    };
    this.#look();
  }

  #look(): void {
    if (this.#completed >= this.#accepted) this.#whenQuiet?.();
  }

  /** Sends what the library has for the client, as fast as that reads, until either ends it. */
  async send(body: AsyncGenerator<string, void>, response: ServerResponse, onError: (error: unknown) => void) {
    const end = () => {
      this.sendLock.open();
      body.return().catch(onError);
    };
    response.once('close', end);
    this.closed.signal.addEventListener('abort', end);
    try {
      for await (const event of body) {
        if (response.closed) break;
        await written(response, event);
        if (event.startsWith('event: next')) this.sendLock.release();
        if (!event.startsWith('event: complete')) continue;
        this.#completed += 1;
        this.#look();
      }
    } finally {
      this.closed.abort();
      response.end();
    }
  }
}

/** Resolves when a text has been handed to the system, or never will be. */
function written(response: ServerResponse, text: string): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve);
    response.write(text, () => {
      response.off('close', resolve);
      resolve();
    });
  });
}
