import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Session } from '../session/session.ts';
import type { Answer } from '../yoga/answer.ts';
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
  readonly #answers = new Map<object, Answer>();
  /** The request whose result is being written. */
  #writing: object | null = null;
  #accepted = 0;
  #completed = 0;
  #onIdle: (() => void) | null = null;

  constructor(session: Session) {
    this.session = session;
    this.closed.signal.addEventListener('abort', () => this.#releaseAll());
  }

  /** Counts the result of a query or mutation, and keeps the memory of its answer, until it has been sent. */
  expectResult(request: object, answer: Answer): void {
    this.results.add(request);
    this.#answers.set(request, answer);
    if (this.closed.signal.aborted) this.#releaseAll();
  }

  /** Resolves when the next result of a request can be sent. */
  async beforeResult(request: object): Promise<void> {
    await this.sendLock.acquire();
    this.#writing = request;
  }

  /** An operation has no further results. Its last one can still be under way to the client. */
  complete(request: object): void {
    this.results.delete(request);
    if (this.#writing !== request) this.#release(request);
  }

  #onWritten(): void {
    const request = this.#writing;
    this.#writing = null;
    if (request && !this.results.has(request)) this.#release(request);
    this.sendLock.release();
  }

  #release(request: object): void {
    this.#answers.get(request)?.release();
    this.#answers.delete(request);
  }

  #releaseAll(): void {
    for (const request of this.#answers.keys()) this.#release(request);
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
        if (event.startsWith('event: next')) this.#onWritten();
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
