/** What one answer of a model can be. Sizes are bytes of UTF-8. */
export interface AnswerLimits {
  /** Of the text, and of the reasoning. */
  readonly textBytes: number;
  /** Of the arguments of all calls together, those of calls that are not made included. */
  readonly argumentBytes: number;
  /** Calls that are made; the others are counted only. */
  readonly toolCalls: number;
}

const encoder = new TextEncoder();

/** What is left of a limit of bytes for a text that grows. */
export class TextRoom {
  #left: number;
  /** Whether something did not fit. */
  isExceeded = false;

  /** `bytes`: of UTF-8. */
  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** The longest start of an addition that fits. It never ends within a character. */
  take(added: string): string {
    const bytes = Buffer.byteLength(added);
    if (bytes <= this.#left) {
      this.#left -= bytes;
      return added;
    }
    const { read } = encoder.encodeInto(added, new Uint8Array(this.#left));
    this.#left = 0;
    this.isExceeded = true;
    return added.slice(0, read);
  }
}
