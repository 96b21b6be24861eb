import type { ReadPart } from './protocol.ts';

/** The greatest length of a passage and its overlap with the passage before it, in UTF-16 code units. */
const length = 1000;
const overlap = 150;
/** Where a passage may end, the best first: a paragraph, a sentence, a line, a word. */
const ends = [/\n\s*\n/g, /(?<=[.!?])\s+|(?<=[。！？；])/g, /\n/g, /(?<=[,;:，、：])\s*|\s+/g];

/** A passage before it is stored. */
export interface PassageText {
  /** Its place among the passages of the file, from 0. */
  index: number;
  text: string;
  page: number | null;
}

/** Splits the text of a file into passages that overlap. A passage stays within its page. */
export class PassageSplitter {
  #index = 0;

  /** The passages of the next part. */
  *split({ text, page }: Pick<ReadPart, 'text' | 'page'>): Generator<PassageText> {
    const plain = text
      .replace(/\r\n?/g, '\n')
      .replaceAll('\0', '')
      .toWellFormed()
      .replace(/[^\S\n]+/g, ' ')
      .replace(/\n{3,}/g, '\n\n')
      .trim();
    for (let start = 0; start < plain.length; ) {
      const end = endOf(plain, start);
      const passage = plain.slice(start, end).trim();
      if (passage !== '') {
        yield { index: this.#index, text: passage, page };
        this.#index += 1;
      }
      start = end >= plain.length ? end : Math.max(startBefore(plain, end), start + 1);
    }
  }
}

/** The end of the passage that begins at `start`. It lies in the second half of the greatest length. */
function endOf(text: string, start: number): number {
  if (text.length - start <= length) return text.length;
  const window = text.slice(start, start + length);
  for (const pattern of ends) {
    const offsets = [...window.matchAll(pattern)].map((match) => match.index + match[0].length);
    const offset = offsets.findLast((at) => at >= length / 2);
    if (offset !== undefined) return start + offset;
  }
  // A surrogate pair is not split.
  const isHalf = /[\uD800-\uDBFF]/.test(text[start + length - 1] ?? '');
  return start + length - (isHalf ? 1 : 0);
}

/** The start of the next passage: before the end of this one, at a word, and not within a surrogate pair. */
function startBefore(text: string, end: number): number {
  const window = text.slice(end - overlap, end);
  const start = end - overlap + Math.max(window.search(/(?<=[\s。！？；，、])/), 0);
  return /[\uDC00-\uDFFF]/.test(text[start] ?? '') ? start + 1 : start;
}
