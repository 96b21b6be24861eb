const scripts = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}`;
const runs = new RegExp(`[${scripts}]+|[[\\p{L}\\p{N}]--[${scripts}]]+`, 'gv');
const unspaced = new RegExp(`^[${scripts}]`, 'u');

/**
 * The words of a text for the search, in lower case and at most 50 characters long. PostgreSQL cannot split scripts
 * without spaces (Chinese, Japanese, Korean, Thai) into words: their single characters and pairs of neighbours are
 * words.
 */
export function searchWords(text: string): string[] {
  const words: string[] = [];
  for (const [run] of text.normalize('NFKC').toLowerCase().matchAll(runs)) {
    if (!unspaced.test(run)) {
      words.push([...run].slice(0, 50).join(''));
      continue;
    }
    const characters = [...run];
    words.push(...characters, ...characters.slice(1).map((character, index) => `${characters[index]}${character}`));
  }
  return words;
}

const term = new RegExp(`^[\\p{L}--[${scripts}]]{3,40}$`, 'v');

/** Whether a word has only letters of a script with spaces, 3 to 40 of them: the search corrects its spelling. */
export const isTerm = (word: string) => term.test(word);

/** The distinct words of a query. Single characters of scripts without spaces are left out unless nothing else remains. */
export function wordsToFind(query: string): string[] {
  const words = [...new Set(searchWords(query))];
  const specific = words.filter((word) => !unspaced.test(word) || [...word].length > 1);
  return specific.length > 0 ? specific : words;
}
