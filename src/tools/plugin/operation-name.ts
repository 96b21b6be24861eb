const maxLength = 64;

/**
 * A name that models can call: letters, digits, _ and -, not yet taken; made of what the operation is called, or else of `other`.
 * Takes it.
 */
export function legalName(wanted: string, other: string, taken: Set<string>): string {
  const plain = (text: string) =>
    text
      .replace(/[^A-Za-z0-9_-]+/g, '_')
      .replace(/^_+|_+$/g, '')
      .slice(0, maxLength);
  const base = plain(wanted) || plain(other) || 'operation';
  let name = base;
  for (let number = 2; taken.has(name); number += 1) name = `${base.slice(0, maxLength - 5)}_${number}`;
  taken.add(name);
  return name;
}
