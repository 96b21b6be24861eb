/** How long a piece may always be, in UTF-16 code units. */
const freeLength = 65_536;
/** How much longer all pieces that are on their way may be together. */
const sharedLength = 16_777_216;

/**
 * How much of a long text a follower is told at once: all of it as long as few catch up, less when many do at the same time,
 * so that what is on its way to them does not grow with their number.
 */
export class CatchUp {
  #left = sharedLength;

  /** How long a piece may be that would be `wanted` long; what goes beyond the free part is taken until `giveBack`. */
  take(wanted: number): number {
    if (wanted <= freeLength) return wanted;
    const extra = Math.min(wanted - freeLength, this.#left);
    this.#left -= extra;
    return freeLength + extra;
  }

  /** The piece, as long as `take` allowed, has left. */
  giveBack(length: number): void {
    this.#left += Math.max(0, length - freeLength);
  }
}

/** Where a piece ends that begins at `start` and may be so long: never in the middle of a character. */
export function endOfPiece(text: string, start: number, length: number): number {
  const end = start + length;
  if (end >= text.length) return text.length;
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff ? end - 1 : end;
}
