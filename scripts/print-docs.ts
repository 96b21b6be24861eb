// npm run docs: prints the settings into docs/configuration.md, which is committed.
import { readFile, writeFile } from 'node:fs/promises';
import { withSettings } from '../src/config/print-settings.ts';

const document = new URL('../docs/configuration.md', import.meta.url);
await writeFile(document, withSettings(await readFile(document, 'utf8')));
