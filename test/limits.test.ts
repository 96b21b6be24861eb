import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { choosers, limitRows, readLimits, withLimits } from '../scripts/print-limits.ts';

const document = readFileSync(new URL('../docs/limits.md', import.meta.url), 'utf8');
const rows = limitRows(document);

test('docs/limits.md has the current value of each limit: run "npm run docs" after a change', async () => {
  expect(document).toBe(withLimits(document, await readLimits()));
});

test('docs/limits.md has exactly one row for each limit in the code', async () => {
  expect(rows.map(({ name }) => name).sort()).toEqual([...(await readLimits()).keys()].sort());
});

test.each(rows)('$subject ($name): who chooses it, what happens beyond it, and which test shows it', (row) => {
  const { chooser, beyond, test: named, reason } = row;
  expect(choosers).toContain(chooser);
  expect(beyond).not.toBe('');
  if (!named) return expect(reason, 'a reason for the lack of a test').not.toBeNull();
  const path = new URL(`./${named.file}.test.ts`, import.meta.url);
  expect(existsSync(path), named.file).toBe(true);
  expect(readFileSync(path, 'utf8')).toContain(named.words);
});
