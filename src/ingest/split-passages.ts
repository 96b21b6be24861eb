import type { ReadPart } from './protocol.ts';

/** How long a passage is, in characters, and how much of the one before it begins with. */
const length = 1000;
const overlap = 150;
/** Where a passage ends best, the best first. */
const ends = [/\n\s*\n/g, /(?<=[.!?])\s+|(?<=[。！？；])/g, /\n/g, /(?<=[,;:，、：])\s*|\s+/g];

/** A passage of a file. */
export interface PassageText {
  index: number;
  text: string;
  page: number | null;
}

/** Cuts what is read into passages: within a page, where a paragraph, a sentence or a word ends. */
export class PassageSplitter {
  #index = 0;

  /** The passages of the next part. */
  *take({ text, page }: Pick<ReadPart, 'text' | 'page'>): Generator<PassageText> {
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

/** Where the passage from `start` on ends: in its second half. */
function endOf(text: string, start: number): number {
  if (text.length - start <= length) return text.length;
  const window = text.slice(start, start + length);
  for (const pattern of ends) {
    const places = [...window.matchAll(pattern)].map((match) => match.index + match[0].length);
    const place = places.findLast((at) => at >= length / 2);
    if (place !== undefined) return start + place;
  }
  // No half characters.
  const isHalf = /[\uD800-\uDBFF]/.test(text[start + length - 1] ?? '');
  return start + length - (isHalf ? 1 : 0);
}

/** Where the next passage begins: a little before the end of this one, with a word, and never with half a character. */
function startBefore(text: string, end: number): number {
  const window = text.slice(end - overlap, end);
  const start = end - overlap + Math.max(window.search(/(?<=[\s。！？；，、])/), 0);
  return /[\uDC00-\uDFFF]/.test(text[start] ?? '') ? start + 1 : start;
}
