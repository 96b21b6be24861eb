import { parse } from 'csv-parse/sync';
import { UnreadableError } from '../protocol.ts';

const maxColumns = 200;

/** A table as a line for each row, each value with the name of its column: so a row can be understood by itself. */
export function textOfCsv(text: string): string {
  const [header = [], ...rows] = parsed(text);
  const names = header.slice(0, maxColumns).map((name, index) => name.trim() || `column ${index + 1}`);
  const lines = rows.map((row) =>
    row
      .slice(0, maxColumns)
      .flatMap((value, index) => (value.trim() === '' ? [] : [`${names[index] ?? `column ${index + 1}`}: ${value}`]))
      .join('; '),
  );
  return lines.length > 0 ? lines.join('\n') : names.join('; ');
}

function parsed(text: string): string[][] {
  const [firstLine = ''] = text.split('\n', 1);
  const delimiter = [',', ';', '\t', '|'].sort(
    (one, other) => firstLine.split(other).length - firstLine.split(one).length,
  )[0];
  try {
    const options = {
      bom: true,
      delimiter,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: 1_000_000,
    };
    return parse(text, { ...options, relax_quotes: true }) as string[][];
  } catch (error) {
    throw new UnreadableError(`This is no CSV: ${(error as Error).message.slice(0, 200)}`);
  }
}
