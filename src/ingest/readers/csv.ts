import { parse } from 'csv-parse/sync';
import { ingestLimits } from '../limits.ts';
import { UnreadableError } from '../protocol.ts';

/**
 * A table as text: one line for each row, with the name of its column before each value, so that each row makes sense
 * without the others. Throws UnreadableError.
 */
export function textOfCsv(text: string): string {
  const [header = [], ...rows] = parsed(text);
  const names = header.slice(0, ingestLimits.csvColumns).map((name, index) => name.trim() || `column ${index + 1}`);
  const lines = rows.map((row) =>
    row
      .slice(0, ingestLimits.csvColumns)
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
      max_record_size: ingestLimits.csvRow,
    };
    return parse(text, { ...options, relax_quotes: true }) as string[][];
  } catch (error) {
    throw new UnreadableError(`The file is not valid CSV: ${(error as Error).message.slice(0, 200)}`);
  }
}
