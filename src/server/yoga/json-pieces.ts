import { setImmediate as nextTurn } from 'node:timers/promises';

/** Characters that a piece has at least, unless it is the last one. */
const pieceLength = 65_536;
/** Characters that are serialized in one turn of the event loop. */
const turnLength = 1_048_576;

/**
 * Serializes a value as `JSON.stringify` does, in pieces of about 64 kB; a longer string is one piece. Unlike
 * `JSON.stringify`, it builds no string of the whole size, and its caller can give way between pieces.
 */
export function* jsonPieces(value: unknown): Generator<string, void> {
  const writer = new PieceWriter();
  yield* writer.write(value);
  if (writer.text !== '') yield writer.text;
}

/** The same pieces; other work gets a turn after each megabyte. */
export async function* jsonTurns(value: unknown): AsyncGenerator<string, void> {
  let length = 0;
  for (const piece of jsonPieces(value)) {
    yield piece;
    length += piece.length;
    if (length < turnLength) continue;
    length = 0;
    await nextTurn();
  }
}

/** The bytes of a value as JSON in UTF-8. Stops at `limit`: then it returns a number above it. */
export async function jsonBytes(value: unknown, limit: number): Promise<number> {
  let bytes = 0;
  for await (const piece of jsonTurns(value)) {
    bytes += Buffer.byteLength(piece);
    if (bytes > limit) break;
  }
  return bytes;
}

/**
 * The approximate characters of a value as JSON, without escapes. Stops at `limit`: then it returns a number above it.
 * Costs a fraction of serializing the value.
 */
export function roughLength(value: unknown, limit: number): number {
  if (typeof value === 'string') return value.length + 3;
  if (typeof value !== 'object' || value === null) return 5;
  let length = 2;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length && length <= limit; index += 1)
      length += roughLength(value[index], limit - length);
    return length;
  }
  for (const key in value) {
    length += key.length + 4 + roughLength((value as Record<string, unknown>)[key], limit - length);
    if (length > limit) break;
  }
  return length;
}

class PieceWriter {
  text = '';

  *write(value: unknown): Generator<string, void> {
    const shown = hasToJson(value) ? value.toJSON() : value;
    if (isLeaf(shown)) this.text += leafText(shown);
    else if (Array.isArray(shown)) yield* this.#writeList(shown);
    else yield* this.#writeObject(shown);
    if (this.text.length < pieceLength) return;
    yield this.text;
    this.text = '';
  }

  *#writeList(list: unknown[]): Generator<string, void> {
    this.text += '[';
    for (const [index, item] of list.entries()) {
      if (index > 0) this.text += ',';
      yield* this.write(item);
    }
    this.text += ']';
  }

  *#writeObject(object: object): Generator<string, void> {
    let separator = '{';
    for (const [key, value] of Object.entries(object)) {
      if (value === undefined || typeof value === 'function') continue;
      this.text += `${separator}${JSON.stringify(key)}:`;
      separator = ',';
      yield* this.write(value);
    }
    this.text += separator === '{' ? '{}' : '}';
  }
}

const isLeaf = (value: unknown): value is string | number | boolean | null | undefined =>
  typeof value !== 'object' || value === null;

/** A value that JSON cannot express is null in a list. */
const leafText = (value: unknown) => JSON.stringify(value) ?? 'null';

const hasToJson = (value: unknown): value is { toJSON(): unknown } =>
  typeof value === 'object' && value !== null && typeof (value as { toJSON?: unknown }).toJSON === 'function';
