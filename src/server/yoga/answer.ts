import { GraphQLError } from 'graphql';
import type { AnswerMeter, GraphContext } from '../../graphql/context.ts';
import { serverLimits } from '../limits.ts';
import { anonymousHolder, holderOf } from '../session/holder.ts';
import type { Answers } from './answers.ts';
import { jsonBytes, roughLength } from './json-pieces.ts';
import type { PacedOperation } from './reading-pace.ts';

/** The context of an operation. Without a credential it has no actor. */
type Operation = Partial<Pick<GraphContext, 'actor' | 'workspaceId'>>;

const keyPace = { operations: serverLimits.keyOperations, bytesPerSecond: serverLimits.keyBytesPerSecond };
const userPace = { operations: serverLimits.userOperations, bytesPerSecond: serverLimits.userBytesPerSecond };

/** The error for an answer or an event that is larger than `maxBytes`. */
export const tooLarge = (maxBytes: number, advice = '') =>
  new GraphQLError(
    `The response is larger than the limit of ${maxBytes} bytes. Read fewer nodes on a page, or select fewer long texts and aliases of them.${advice}`,
    { extensions: { code: 'RESPONSE_TOO_LARGE' } },
  );

const noRoom = (advice: string) =>
  new GraphQLError(
    `Responses that have not been read take all the memory for responses. Read yours, and retry after a second.${advice}`,
    { extensions: { code: 'RATE_LIMITED' } },
  );

/**
 * The memory of one answer, from the first long text that a resolver returns until the answer has been sent. A short answer
 * reserves nothing.
 */
export class Answer implements AnswerMeter {
  readonly #answers: Answers;
  #holder = anonymousHolder;
  #advice = '';
  #length = 0;
  /** The bytes of the parts that have been returned. */
  #bytes = 0;
  /** What the making of the answer cost, in bytes. */
  #worth = 0;
  #reserved = 0;
  #failure: GraphQLError | null = null;
  #isInTheMaking = false;
  #isReleased = false;
  #endTurn: ((bytes: number) => void) | null = null;

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  /** The bytes that the answer may have. */
  get maxBytes(): number {
    return this.#answers.maxBytes;
  }

  /** The cost that the operation may have. */
  get maxCost(): number {
    return this.#answers.maxCost;
  }

  /** Whether the answer is long enough to be serialized in pieces. */
  get isLarge(): boolean {
    return this.#reserved > 0;
  }

  /** The error that replaces the answer; null: there is none. */
  get failure(): GraphQLError | null {
    return this.#failure;
  }

  /**
   * Starts to count for an operation, when the turn of its client has come. Throws RateLimitedError if too many operations of
   * the client wait; otherwise as `ReadingPace.start`.
   */
  async begin(operation: Operation, isMutation: boolean, paced: PacedOperation): Promise<void> {
    this.#advice = isMutation ? ' The mutation was carried out.' : '';
    const { actor, workspaceId } = operation;
    if (actor && workspaceId) {
      this.#holder = holderOf({ actor, workspaceId });
      const pace = actor.kind === 'USER' ? userPace : keyPace;
      this.#endTurn = await this.#answers.pace.start(this.#holder.name, pace, paced);
    }
    this.#isInTheMaking = true;
  }

  /** The operation has been executed. */
  end(): void {
    this.#isInTheMaking = false;
    this.#endTurn?.(this.#paidBytes);
    if (this.#isReleased) this.#free();
  }

  /** Counts the characters of a value in the answer. Throws the error for an answer that is too large or finds no room. */
  count(characters: number): void {
    if (this.#failure) throw this.#failure;
    this.#length += characters;
    if (this.#length > serverLimits.plainResponse) this.#hold(this.#length);
  }

  /**
   * Holds the memory of a result, or of the next part of an incremental one. Returns the result, or one with the error of an
   * answer that is too large or finds no room.
   */
  async fit<Result extends object>(result: Result): Promise<Result | { errors: GraphQLError[] }> {
    const { maxBytes } = this.#answers;
    try {
      if (this.#failure) throw this.#failure;
      const { plainResponse } = serverLimits;
      const length = roughLength(result, plainResponse);
      this.#bytes += length > plainResponse ? await jsonBytes(result, maxBytes) : length;
      if (this.#bytes > plainResponse) this.#hold(this.#bytes);
      return result;
    } catch (error) {
      if (error !== this.#failure) throw error;
      return { errors: [this.#failure as GraphQLError] };
    }
  }

  /** Counts what the answer contains (`costOfResult`) for the pace of the client: many small rows take longer than a long text. */
  charge(cost: number): void {
    this.#worth = cost * serverLimits.costBytes;
  }

  /** Returns the memory: the answer has been sent, or its client is gone. While the answer is being made, its end does. */
  release(): void {
    this.#isReleased = true;
    if (!this.#isInTheMaking) this.#free();
  }

  #hold(bytes: number): void {
    const { maxBytes } = this.#answers;
    if (bytes > maxBytes) throw this.#fail(tooLarge(maxBytes, this.#advice));
    if (bytes <= this.#reserved) return;
    // In steps: a client has thousands of texts in one answer.
    const target = Math.min(Math.ceil(bytes / serverLimits.plainResponse) * serverLimits.plainResponse, maxBytes);
    if (!this.#answers.reserve(this.#holder, target - this.#reserved)) throw this.#fail(noRoom(this.#advice));
    this.#reserved = target;
  }

  /** The bytes that count for the pace of the client. What a failed answer was to contain is unknown. */
  get #paidBytes(): number {
    if (this.#failure) return this.#answers.maxBytes;
    const bytes = Math.max(this.#length, this.#bytes, this.#worth);
    return bytes > serverLimits.plainResponse ? bytes : 0;
  }

  #fail(error: GraphQLError): GraphQLError {
    this.#failure = error;
    return error;
  }

  #free(): void {
    if (this.#reserved > 0) this.#answers.release(this.#holder, this.#reserved);
    this.#reserved = 0;
  }
}
