import type { AnswerMeter } from '../../graphql/context.ts';
import { tooLarge } from './answer.ts';

/** Counts the size of an event's result while it is made. */
export class EventMeter implements AnswerMeter {
  readonly maxBytes: number;
  #length = 0;

  /** `maxBytes`: the bytes that the result may have. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  /** Counts characters of the result. Throws the error for an event that is too large. */
  count(characters: number): void {
    this.#length += characters;
    if (this.#length > this.maxBytes) throw tooLarge(this.maxBytes);
  }
}
