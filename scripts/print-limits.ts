import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const src = new URL('../src/', import.meta.url);

/** One limit in the code, by its name in the table. */
export type Limits = ReadonlyMap<string, number>;

/** One row of the table of limits. */
export interface LimitRow {
  name: string;
  /** The file under test/ without `.test.ts`, and a part of its text; null: the limit has no test. */
  test: { file: string; words: string } | null;
}

/** All limits in the files src/*\/limits.ts, by `group.name`. */
export async function readLimits(): Promise<Limits> {
  const files = readdirSync(fileURLToPath(src), { recursive: true, encoding: 'utf8' });
  const found = new Map<string, number>();
  for (const file of files.filter((name) => name.endsWith('/limits.ts')).sort()) {
    const groups = (await import(new URL(file, src).href)) as Record<string, Record<string, number>>;
    for (const [group, limits] of Object.entries(groups)) {
      for (const [name, value] of Object.entries(limits)) found.set(`${group}.${name}`, value);
    }
  }
  return found;
}

/** `| Limit | 256 characters | … | test | group.name |`: the value up to its unit, and the two last cells. The formatter pads cells. */
const rowPattern = /^(\|[^|]+\| )([\d.,]+)([^|]*\|[^|]*\| )([^|]*)(\| `(\w+\.\w+)` *\|)$/gm;
const testPattern = /^`([\w/-]+)`: (.+)$/;

/** The rows of a document that show a limit. */
export function limitRows(document: string): LimitRow[] {
  return [...document.matchAll(rowPattern)].map(([, , , , cell, , name]) => {
    const [, file, words] = testPattern.exec((cell as string).trim()) ?? [];
    return { name: name as string, test: file && words ? { file, words } : null };
  });
}

/** The text of a document with the current value in each row that shows a limit. Throws for an unknown limit. */
export function withLimits(document: string, limits: Limits): string {
  return document.replace(rowPattern, (_row, before, _value, between, test, after, name) => {
    const value = limits.get(name);
    if (value === undefined) throw new Error(`There is no limit ${name}. Correct docs/limits.md.`);
    return `${before}${value.toLocaleString('en-US')}${between}${test}${after}`;
  });
}
