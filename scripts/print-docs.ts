// npm run docs: prints the settings into docs/configuration.md and the values of limits into docs/limits.md, both committed.
import { readFile, writeFile } from 'node:fs/promises';
import { withSettings } from '../src/config/print-settings.ts';
import { readLimits, withLimits } from './print-limits.ts';

async function update(name: string, print: (document: string) => string): Promise<void> {
  const document = new URL(`../docs/${name}`, import.meta.url);
  await writeFile(document, print(await readFile(document, 'utf8')));
}

const limits = await readLimits();
await update('configuration.md', withSettings);
await update('limits.md', (document) => withLimits(document, limits));
