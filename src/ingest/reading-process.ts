// The process that reads a file of others: it gets the bytes on its input and tells what it reads, line by line. It may read its
// own code and nothing else, reach nobody, and is ended from outside when it takes too long or too much.
import { writeSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { kindOf } from './kind.ts';
import { type ReaderMessage, type ReadPart, UnreadableError } from './protocol.ts';
import { textOfCsv } from './readers/csv.ts';
import { textOfHtml } from './readers/html.ts';
import { decodeText } from './readers/text.ts';

const maxCharacters = 20_000_000;
const [, , mimeType = ''] = process.argv;

function tell(told: ReaderMessage): void {
  const line = Buffer.from(`${JSON.stringify(told)}\n`);
  for (let offset = 0; offset < line.length; ) {
    try {
      offset += writeSync(1, line, offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') process.exit(1);
    }
  }
}

async function* partsOf(bytes: Buffer): AsyncGenerator<ReadPart> {
  const kind = kindOf(mimeType, bytes);
  if (kind === 'pdf') {
    // Each is loaded only where it is needed.
    const { pagesOfPdf } = await import('./readers/pdf.ts');
    yield* pagesOfPdf(bytes);
    return;
  }
  yield { text: await textOf(kind, bytes), page: null, progress: 1 };
}

async function textOf(kind: Exclude<ReturnType<typeof kindOf>, 'pdf'>, bytes: Buffer): Promise<string> {
  if (kind === 'docx') return (await import('./readers/docx.ts')).textOfDocx(bytes);
  const text = decodeText(bytes);
  if (kind === 'html') return textOfHtml(text);
  return kind === 'csv' ? textOfCsv(text) : text;
}

try {
  let characters = 0;
  let hasText = false;
  for await (const part of partsOf(await buffer(process.stdin))) {
    characters += part.text.length;
    hasText ||= part.text.trim() !== '';
    if (characters > maxCharacters) throw new UnreadableError(`It has more than ${maxCharacters} characters.`);
    tell({ type: 'part', ...part });
  }
  if (!hasText) throw new UnreadableError('There is no text in it: scanned pages are not read.');
  tell({ type: 'done' });
} catch (error) {
  const message = error instanceof UnreadableError ? error.message : 'It could not be read.';
  tell({ type: 'failed', message });
}
process.exit(0);
