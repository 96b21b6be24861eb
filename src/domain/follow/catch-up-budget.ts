/** The length that a delta can always have, in UTF-16 code units. */
const freeLength = 65_536;
/** The length beyond it that all deltas in flight can have together. */
const sharedLength = 16_777_216;

/**
 * Bounds the deltas of followers that catch up with long texts: with few such followers a delta can hold a whole text,
 * with many it is shorter, so that the memory for deltas in flight does not grow with the number of followers.
 */
export class CatchUpBudget {
  #left = sharedLength;

  /**
   * Returns the allowed length of a delta, at most `wanted`. The part beyond `freeLength` is reserved until `release`.
   */
  reserve(wanted: number): number {
    if (wanted <= freeLength) return wanted;
    const extra = Math.min(wanted - freeLength, this.#left);
    this.#left -= extra;
    return freeLength + extra;
  }

  /** Releases the reservation of a delta, with the length that `reserve` returned. */
  release(length: number): void {
    this.#left += Math.max(0, length - freeLength);
  }
}

/** The end of a delta from `start` with at most `length` code units; never inside a surrogate pair. */
export function endOfDelta(text: string, start: number, length: number): number {
  const end = start + length;
  if (end >= text.length) return text.length;
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff ? end - 1 : end;
}
