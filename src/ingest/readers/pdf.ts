import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { getDocument, VerbosityLevel } from 'pdfjs-dist/legacy/build/pdf.mjs';
import { ingestLimits } from '../limits.ts';
import { type ReadPart, UnreadableError } from '../protocol.ts';

const root = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'));

/** The pages of a PDF, in order. Throws UnreadableError. */
export async function* pagesOfPdf(bytes: Uint8Array): AsyncGenerator<ReadPart> {
  const task = getDocument({
    data: new Uint8Array(bytes),
    verbosity: VerbosityLevel.ERRORS,
    disableFontFace: true,
    useSystemFonts: false,
    useWorkerFetch: false,
    enableXfa: false,
    maxImageSize: 1,
    // Without these, text in many Chinese and Japanese fonts is lost.
    cMapUrl: `${join(root, 'cmaps')}/`,
    cMapPacked: true,
    standardFontDataUrl: `${join(root, 'standard_fonts')}/`,
  });
  try {
    const document = await task.promise;
    const pages = document.numPages;
    if (pages > ingestLimits.pdfPages)
      throw new UnreadableError(`The PDF has more than ${ingestLimits.pdfPages} pages.`);
    for (let number = 1; number <= pages; number += 1) {
      const page = await document.getPage(number);
      const { items } = await page.getTextContent();
      page.cleanup();
      const text = items.map((item) => ('str' in item ? item.str + (item.hasEOL ? '\n' : '') : '')).join('');
      yield { text, page: number, progress: number / pages };
    }
  } catch (error) {
    throw error instanceof UnreadableError ? error : new UnreadableError(messageFor((error as Error).name));
  } finally {
    await task.destroy();
  }
}

const messageFor = (name: string) =>
  name === 'PasswordException' ? 'The PDF is encrypted. Remove its password.' : 'The PDF is broken.';
