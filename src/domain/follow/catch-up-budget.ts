/** How long a delta may always be, in UTF-16 code units. */
const freeLength = 65_536;
/** How much longer all deltas that are on their way may be together. */
const sharedLength = 16_777_216;

/**
 * How much of a long text a follower is told at once: all of it as long as few catch up, less when many do at the same time,
 * so that what is on its way to them does not grow with their number.
 */
export class CatchUpBudget {
  #left = sharedLength;

  /** How long a delta may be that would be `wanted` long; what goes beyond the free part is taken until `giveBack`. */
  reserve(wanted: number): number {
    if (wanted <= freeLength) return wanted;
    const extra = Math.min(wanted - freeLength, this.#left);
    this.#left -= extra;
    return freeLength + extra;
  }

  /** The delta, as long as `take` allowed, has left. */
  release(length: number): void {
    this.#left += Math.max(0, length - freeLength);
  }
}

/** Where a delta ends that begins at `start` and may be so long: never in the middle of a character. */
export function endOfDelta(text: string, start: number, length: number): number {
  const end = start + length;
  if (end >= text.length) return text.length;
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff ? end - 1 : end;
}
