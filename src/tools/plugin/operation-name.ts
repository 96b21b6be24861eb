import { documentLimits } from '../limits.ts';

/** Room for the number that makes a name unique. */
const suffixCharacters = 5;

/**
 * Makes a name that models accept: letters, digits, `_` and `-`. It is derived from `preferred`, or from `fallback` when
 * `preferred` has no such character, and is not in `taken`, to which it is added.
 */
export function legalName(preferred: string, fallback: string, taken: Set<string>): string {
  const plain = (text: string) =>
    text
      .replace(/[^A-Za-z0-9_-]+/g, '_')
      .replace(/^_+|_+$/g, '')
      .slice(0, documentLimits.operationName);
  const base = plain(preferred) || plain(fallback) || 'operation';
  const short = base.slice(0, documentLimits.operationName - suffixCharacters);
  let name = base;
  for (let number = 2; taken.has(name); number += 1) name = `${short}_${number}`;
  taken.add(name);
  return name;
}
