const scripts = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}`;
const pieces = new RegExp(`[${scripts}]+|[[\\p{L}\\p{N}]--[${scripts}]]+`, 'gv');
const unspaced = new RegExp(`^[${scripts}]`, 'u');

/**
 * The words of a text for searching, in lower case: what PostgreSQL has no words for, scripts without spaces, as pairs of
 * neighbouring characters, and single ones, too.
 */
export function searchWords(text: string): string[] {
  const words: string[] = [];
  for (const [piece] of text.normalize('NFKC').toLowerCase().matchAll(pieces)) {
    if (!unspaced.test(piece)) {
      words.push([...piece].slice(0, 50).join(''));
      continue;
    }
    const characters = [...piece];
    words.push(...characters, ...characters.slice(1).map((character, index) => `${characters[index]}${character}`));
  }
  return words;
}

const term = new RegExp(`^[\\p{L}--[${scripts}]]{3,40}$`, 'v');

/** Whether a word is made of letters alone, which may be misspelled; those of scripts without spaces are not. */
export const isTerm = (word: string) => term.test(word);

/** The words to look for: single characters of scripts without spaces say something only where there are no pairs. */
export function wordsToFind(query: string): string[] {
  const words = [...new Set(searchWords(query))];
  const telling = words.filter((word) => !unspaced.test(word) || [...word].length > 1);
  return telling.length > 0 ? telling : words;
}
