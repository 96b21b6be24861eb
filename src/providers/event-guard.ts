const newline = 0x0a;
const carriageReturn = 0x0d;
const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const bracket = 0x5b;
const brace = 0x7b;

// Where a byte is.
const outside = 0;
const inString = 1;
const escaped = 2;

const startsValue = (byte: number) => byte === comma || byte === bracket || byte === brace;

/** Where the byte after `byte` is. */
function placeAfter(place: number, byte: number): number {
  if (place === escaped) return inString;
  if (byte === quote) return place === inString ? outside : inString;
  return place === inString && byte === backslash ? escaped : place;
}

/**
 * Checks the server-sent events of a streamed response before anything parses them. The parsers behind it take time that
 * grows faster than the number of values in an event, and than the number of line ends of the kind `\r`.
 */
export class EventGuard {
  readonly #maxValues: number;
  #values = 0;
  #isLineEmpty = true;
  #place: number = outside;
  /** Whether the last byte was `\r`: a `\n` after it belongs to the same line end. */
  #hasReturned = false;

  /** `maxValues`: JSON values of one event, about. */
  constructor(maxValues: number) {
    this.#maxValues = maxValues;
  }

  /** Returns the bytes with `\n` as the only line end; null if an event has too many values. */
  check(chunk: Uint8Array): Uint8Array | null {
    const bytes = this.#hasReturned || chunk.includes(carriageReturn) ? this.#normalized(chunk) : chunk;
    return this.#hasRoomFor(bytes) ? bytes : null;
  }

  #hasRoomFor(bytes: Uint8Array): boolean {
    let values = this.#values;
    let isLineEmpty = this.#isLineEmpty;
    let place = this.#place;
    for (let at = 0; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (byte === newline) {
        // An empty line ends the event.
        if (isLineEmpty) values = 0;
        isLineEmpty = true;
        // No JSON string contains a line end.
        place = outside;
        continue;
      }
      isLineEmpty = false;
      if (place === outside && startsValue(byte)) values += 1;
      else place = placeAfter(place, byte);
      if (values > this.#maxValues) return false;
    }
    this.#values = values;
    this.#isLineEmpty = isLineEmpty;
    this.#place = place;
    return true;
  }

  #normalized(chunk: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(chunk.length);
    let length = 0;
    for (const byte of chunk) {
      const isSecondHalf = this.#hasReturned && byte === newline;
      this.#hasReturned = byte === carriageReturn;
      if (isSecondHalf) continue;
      bytes[length] = this.#hasReturned ? newline : byte;
      length += 1;
    }
    return bytes.subarray(0, length);
  }
}
