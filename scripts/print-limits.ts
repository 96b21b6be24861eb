import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { settingsOf } from '../src/config/setting.ts';
import { sections } from '../src/config/settings.ts';

const src = new URL('../src/', import.meta.url);

/** The bounds in the code: the value by name, `group.name` of a constant or the variable of a setting. */
export type Limits = ReadonlyMap<string, number>;

/** Who can choose a size, a count or a time. */
export const choosers = [
  'anyone',
  'client',
  'model',
  'provider',
  'program',
  'plugin server',
  'search engine',
  'file',
  'identity provider',
  'package index',
] as const;

/** One row of the table of limits. */
export interface LimitRow {
  /** What is limited. */
  subject: string;
  /** Who chooses it. */
  chooser: string;
  /** What happens beyond the limit. */
  beyond: string;
  /** The name of the bound: `group.name` of a constant, or the variable of a setting. */
  name: string;
  /** The file under test/ without `.test.ts`, and a part of its text; null: the limit has no test, for the reason. */
  test: { file: string; words: string } | null;
  /** Why there is no test. */
  reason: string | null;
}

/** The settings that bound nothing which a stranger chooses. */
const otherSettings = new Set([
  'DEMO_DELAY_MS',
  'EMBEDDING_DIMENSIONS',
  'FILE_URL_SECONDS',
  'MODEL_RETRIES',
  'PYTHON_READY',
]);

/** The limits that operators set, with their defaults. */
function settingLimits(): Array<[string, number]> {
  const { Limits: limits, Files: files, Tools: tools, Models: models } = sections;
  return settingsOf({ limits, files, tools, models })
    .filter(
      ({ variable, kind, default: standard }) =>
        kind.bounds && typeof standard === 'number' && !otherSettings.has(variable),
    )
    .map(({ variable, default: standard }) => [variable, standard as number]);
}

/** All limits: the constants in the files src/*\/limits.ts, by `group.name`, and the settings. */
export async function readLimits(): Promise<Limits> {
  const files = readdirSync(fileURLToPath(src), { recursive: true, encoding: 'utf8' });
  const found = new Map<string, number>(settingLimits());
  for (const file of files.filter((name) => name.endsWith('/limits.ts')).sort()) {
    const groups = (await import(new URL(file, src).href)) as Record<string, Record<string, number>>;
    for (const [group, limits] of Object.entries(groups)) {
      for (const [name, value] of Object.entries(limits)) found.set(`${group}.${name}`, value);
    }
  }
  return found;
}

/** A row: `| Area | Limit | Chosen by | 256 characters | Beyond it | \`name\` | Test |`. The formatter pads cells. */
const rowPattern = /^(\|[^|]+\|[^|]+\|[^|]+\| )([\d.,]+)([^|]*\|[^|]*\| `([\w.]+)` *\|[^|]*\|)$/gm;
const testPattern = /^`([\w/-]+)`: (.+)$/;

/** The rows of a document that show a limit. */
export function limitRows(document: string): LimitRow[] {
  return [...document.matchAll(rowPattern)].map(([row]) => {
    const [, , subject = '', chooser = '', , beyond = '', name = '', cell = ''] = row
      .split('|')
      .map((text) => text.trim());
    const [, file, words] = testPattern.exec(cell) ?? [];
    const test = file && words ? { file, words } : null;
    return {
      subject,
      chooser,
      beyond,
      name: name.replaceAll('`', ''),
      test,
      reason: /^none: (.+)$/.exec(cell)?.[1] ?? null,
    };
  });
}

/** The text of a document with the current value in each row that shows a limit. Throws for an unknown limit. */
export function withLimits(document: string, limits: Limits): string {
  return document.replace(rowPattern, (_row, before, _value, after, name) => {
    const value = limits.get(name);
    if (value === undefined) throw new Error(`There is no limit ${name}. Correct docs/limits.md.`);
    return `${before}${value.toLocaleString('en-US')}${after}`;
  });
}
