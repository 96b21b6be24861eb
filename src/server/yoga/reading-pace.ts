import { LRUCache } from 'lru-cache';
import { DrainingLevel } from '../../async/draining-level.ts';
import { RateLimitedError } from '../../domain/error.ts';
import type { Access } from '../../graphql/context.ts';
import { serverLimits } from '../limits.ts';

/** The pace of one client. */
export interface PaceLimits {
  /** Operations that are carried out at once. One that takes longer than `operationHoldMs` no longer counts. */
  operations: number;
  /** Bytes of large responses a second, on average. */
  bytesPerSecond: number;
}

/** Ends an operation. `bytes`: of its response if it was a large one, otherwise 0. */
type End = (bytes: number) => void;

/** An operation that may have to wait for its turn. */
export interface PacedOperation {
  /** Aborts when its client disconnects. */
  readonly signal: AbortSignal;
  /** Its credential, which can end while the operation waits. */
  readonly access: Access;
  /** Estimates the bytes of memory that the operation takes while it waits. */
  weigh(): number;
}

interface Client {
  readonly limits: PaceLimits;
  /** Bytes of large responses that the average does not cover yet. */
  readonly level: DrainingLevel;
  /** When each operation that is carried out was started. */
  readonly started: Set<{ at: number }>;
  /** Starts the operations that wait, in their order. */
  readonly waiting: Set<() => void>;
  /** Bytes of memory that the operations that wait take. */
  waitingBytes: number;
  timer: NodeJS.Timeout | undefined;
}

const tooManyWait = ({ waiting, limits }: Client) =>
  new RateLimitedError(
    `${waiting.size} operations of this client wait, because it has too many under way or reads large responses faster than ${limits.bytesPerSecond} bytes per second. Read smaller pages, or wait for responses before you send more.`,
  );

/**
 * How fast each client may have large responses made. Reading their rows holds the event loop and the database whether the
 * client reads the response or not, so a client that asks for one after the other waits instead of all others.
 */
export class ReadingPace {
  readonly #burst: number;
  readonly #clients = new LRUCache<string, Client>({ max: serverLimits.pacedClients });

  /** `burst`: bytes of responses that a client gets at full speed, at least those of one response. */
  constructor(burst: number) {
    this.#burst = burst;
  }

  /**
   * Starts an operation of a client when its turn has come. Returns the function that ends it, which takes the bytes of its
   * response if it was a large one, or 0. Throws RateLimitedError if too many operations of the client wait, or they take too
   * much memory; before the turn, the reason of its signal, or the error of its credential when that ends.
   */
  start(name: string, limits: PaceLimits, operation: PacedOperation): End | Promise<End> {
    const client = this.#client(name, limits);
    if (client.waiting.size === 0 && this.#delay(client) === 0) return this.#begin(client);
    const bytes = operation.weigh();
    const isFull = client.waitingBytes + bytes > serverLimits.waitingBytes;
    if (isFull || client.waiting.size >= serverLimits.waitingOperations) throw tooManyWait(client);
    return this.#wait(client, operation, bytes);
  }

  async #wait(client: Client, { signal, access }: PacedOperation, bytes: number): Promise<End> {
    const { revoked, release } = access.watch();
    const ended = AbortSignal.any([signal, revoked]);
    const { promise, resolve, reject } = Promise.withResolvers<End>();
    const start = () => resolve(this.#begin(client));
    const leave = () => {
      client.waiting.delete(start);
      reject(ended.reason);
    };
    client.waiting.add(start);
    client.waitingBytes += bytes;
    ended.addEventListener('abort', leave);
    if (ended.aborted) leave();
    this.#schedule(client);
    return promise.finally(() => {
      client.waitingBytes -= bytes;
      ended.removeEventListener('abort', leave);
      release();
    });
  }

  #client(name: string, limits: PaceLimits): Client {
    const known = this.#clients.get(name);
    if (known) return known;
    const client: Client = {
      limits,
      level: new DrainingLevel(limits.bytesPerSecond),
      started: new Set(),
      waiting: new Set(),
      waitingBytes: 0,
      timer: undefined,
    };
    this.#clients.set(name, client);
    return client;
  }

  #begin(client: Client): End {
    const operation = { at: performance.now() };
    client.started.add(operation);
    let hasEnded = false;
    return (bytes) => {
      if (hasEnded) return;
      hasEnded = true;
      client.started.delete(operation);
      if (bytes > 0) client.level.add(bytes);
      if (client.waiting.size > 0) this.#startNext(client);
    };
  }

  /** Milliseconds until the client may start one more operation. */
  #delay(client: Client): number {
    const { operationHoldMs } = serverLimits;
    const pause = client.level.msUntilBelow(this.#burst);
    if (pause > 0) return pause;
    if (client.started.size < client.limits.operations) return 0;
    const now = performance.now();
    for (const operation of client.started) {
      const left = operation.at + operationHoldMs - now;
      if (left > 0) return Math.ceil(left);
      client.started.delete(operation);
      if (client.started.size < client.limits.operations) return 0;
    }
    return 0;
  }

  #startNext(client: Client): void {
    for (const start of client.waiting) {
      if (this.#delay(client) > 0) break;
      client.waiting.delete(start);
      start();
    }
    this.#schedule(client);
  }

  #schedule(client: Client): void {
    clearTimeout(client.timer);
    if (client.waiting.size === 0) return;
    client.timer = setTimeout(() => this.#startNext(client), this.#delay(client));
    client.timer.unref();
  }
}
