import type { ExecutionArgs } from 'graphql';
import { RateLimitedError } from '../../domain/error.ts';
import { serverLimits } from '../limits.ts';
import type { Answer } from '../yoga/answer.ts';
import { isSubscription } from '../yoga/execute-operation.ts';

const tooMany = (limit: number) =>
  new RateLimitedError(
    `This socket has ${limit} operations under way, which is the limit. Wait until some have ended.`,
  );

/**
 * The operations under way on one WebSocket, by the payloads that started them. graphql-ws has a list of its own, but
 * removes an id from it when the client ends the operation, which can be before the operation has ended or even begun.
 */
export class SocketOperations {
  readonly #idByPayload = new Map<object, string>();
  readonly #ids = new Set<string>();
  readonly #answers = new Map<object, Answer>();
  /** The payloads of queries and mutations. */
  readonly #results = new Set<object>();
  #lastEndedAt = Date.now();
  #onIdle = () => {};

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** When an operation was last under way, in milliseconds since the epoch. */
  get lastActiveAt(): number {
    return this.#ids.size > 0 ? Date.now() : this.#lastEndedAt;
  }

  /** Resolves when no operation is under way, or after `timeoutMs`. Only the latest call resolves early. */
  async whenIdle(timeoutMs: number): Promise<void> {
    if (this.#ids.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    const timer = setTimeout(resolve, timeoutMs).unref();
    await promise;
    clearTimeout(timer);
  }

  /** Counts an operation until `end`, which releases its answer. */
  begin(id: string, payload: object, answer: Answer): void {
    this.#idByPayload.set(payload, id);
    this.#ids.add(id);
    this.#answers.set(payload, answer);
  }

  /** Throws RateLimitedError if too many operations are under way. */
  requireRoom(): void {
    if (this.#idByPayload.size > serverLimits.socketOperations) throw tooMany(serverLimits.socketOperations);
  }

  /** Counts the result of a query or mutation until `end`. Throws RateLimitedError if too many are under way. */
  expectResult(payload: object, args: ExecutionArgs): void {
    if (isSubscription(args)) return;
    if (this.#results.size >= serverLimits.socketResults) throw tooMany(serverLimits.socketResults);
    this.#results.add(payload);
  }

  /** Releases all answers: the socket has closed. */
  releaseAnswers(): void {
    for (const answer of this.#answers.values()) answer.release();
    this.#answers.clear();
  }

  /** Has no effect for an operation that has ended already. */
  end(payload: object): void {
    const id = this.#idByPayload.get(payload);
    if (id === undefined) return;
    this.#answers.get(payload)?.release();
    this.#answers.delete(payload);
    this.#idByPayload.delete(payload);
    this.#ids.delete(id);
    this.#results.delete(payload);
    this.#lastEndedAt = Date.now();
    if (this.#ids.size === 0) this.#onIdle();
  }
}
