import { required, type Setting, settingsOf } from './setting.ts';
import { sections } from './settings.ts';

const header = ['Variable', 'Default', 'Values', 'Meaning'];

/** All settings as Markdown: a heading and a table for each section. */
function printedSettings(): string {
  return Object.entries(sections)
    .map(([title, tree]) => `### ${title}\n\n${tableOf([header, ...settingsOf(tree).map(rowOf)])}`)
    .join('\n\n');
}

function rowOf(setting: Setting<unknown>): string[] {
  return [`\`${setting.variable}\``, defaultOf(setting), valuesOf(setting), setting.sentence];
}

function defaultOf({ default: standard }: Setting<unknown>): string {
  if (standard === null || standard === '' || standard === required) return '–';
  return typeof standard === 'object' ? standard.words : `\`${String(standard)}\``;
}

function valuesOf({ kind: { accepts, bounds, short } }: Setting<unknown>): string {
  return bounds ? `${bounds.min} to ${bounds.max} ${bounds.unit}`.trim() : (short ?? accepts);
}

/** A Markdown table as the formatter of the repository aligns it. */
function tableOf(rows: string[][]): string {
  const widths = header.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`;
  const [first, ...others] = rows as [string[], ...string[][]];
  const rule = widths.map((width) => '-'.repeat(width));
  return [first, rule, ...others].map(line).join('\n');
}

const start = '<!-- settings: npm run docs -->';
const end = '<!-- end of settings -->';

/** The text of a document with the settings between its markers. Throws where a marker is missing. */
export function withSettings(document: string): string {
  const from = document.indexOf(start);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`The document needs the lines ${start} and ${end}.`);
  return `${document.slice(0, from)}${start}\n\n${printedSettings()}\n\n${document.slice(to)}`;
}
