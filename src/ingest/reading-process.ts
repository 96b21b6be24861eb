// The program of the process that reads an uploaded file: it reads the bytes from descriptor 0 and writes messages to
// descriptor 3, one line of JSON each. It runs in a GuardedProcess.
import { writeSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { kindOf } from './kind.ts';
import { ingestLimits } from './limits.ts';
import { type ReaderMessage, type ReadPart, UnreadableError } from './protocol.ts';
import { decodeText } from './readers/text.ts';

const output = 3;
const [, , mimeType = ''] = process.argv;

function send(message: ReaderMessage): void {
  const line = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let offset = 0; offset < line.length; ) {
    try {
      offset += writeSync(output, line, offset);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') process.exit(1);
    }
  }
}

// Each reader loads a large library: only the one that the file needs is loaded.
async function* partsOf(bytes: Buffer): AsyncGenerator<ReadPart> {
  const kind = kindOf(mimeType, bytes);
  if (kind === 'pdf') {
    const { pagesOfPdf } = await import('./readers/pdf.ts');
    yield* pagesOfPdf(bytes);
    return;
  }
  yield { text: await textOf(kind, bytes), page: null, progress: 1 };
}

async function textOf(kind: Exclude<ReturnType<typeof kindOf>, 'pdf'>, bytes: Buffer): Promise<string> {
  if (kind === 'docx') return (await import('./readers/docx.ts')).textOfDocx(bytes);
  const text = decodeText(bytes);
  if (kind === 'html') return (await import('./readers/html.ts')).textOfHtml(text);
  return kind === 'csv' ? (await import('./readers/csv.ts')).textOfCsv(text) : text;
}

try {
  let characters = 0;
  let hasText = false;
  for await (const part of partsOf(await buffer(process.stdin))) {
    characters += part.text.length;
    hasText ||= part.text.trim() !== '';
    if (characters > ingestLimits.characters) {
      throw new UnreadableError(`The file has more than ${ingestLimits.characters} characters.`);
    }
    send({ type: 'part', ...part });
  }
  if (!hasText) throw new UnreadableError('The file contains no text. Scanned pages are not read.');
  send({ type: 'done' });
} catch (error) {
  const message = error instanceof UnreadableError ? error.message : 'The file could not be read.';
  send({ type: 'failed', message });
}
process.exit(0);
