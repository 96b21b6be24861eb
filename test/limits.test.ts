import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { limitRows, readLimits, withLimits } from '../scripts/print-limits.ts';

const document = readFileSync(new URL('../docs/limits.md', import.meta.url), 'utf8');

test('docs/limits.md has the current value of each limit: run "npm run docs" after a change', async () => {
  const limits = await readLimits();
  expect(document).toBe(withLimits(document, limits));
  expect(
    limitRows(document)
      .map(({ name }) => name)
      .sort(),
  ).toEqual([...limits.keys()].sort());
});

test('each test that docs/limits.md names exists', () => {
  const missing = limitRows(document).filter(({ test }) => {
    if (test === null) return false;
    const file = new URL(`./${test.file}.test.ts`, import.meta.url);
    return !existsSync(file) || !readFileSync(file, 'utf8').includes(test.words);
  });
  expect(missing).toEqual([]);
});
