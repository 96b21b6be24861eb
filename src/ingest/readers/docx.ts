import mammoth from 'mammoth';
import { fromBuffer } from 'yauzl';
import { ingestLimits } from '../limits.ts';
import { UnreadableError } from '../protocol.ts';

/** Parts up to this size may have any compression ratio, in bytes. */
const ratioFromBytes = 1_000_000;

/** The paragraphs of a Word document. Throws UnreadableError, for a zip bomb before it is unpacked into memory. */
export async function textOfDocx(bytes: Buffer): Promise<string> {
  const names = await checkZip(bytes);
  if (!names.includes('word/document.xml'))
    throw new UnreadableError('The file is a zip file, but not a Word document.');
  try {
    return (await mammoth.extractRawText({ buffer: bytes })).value;
  } catch {
    throw new UnreadableError('The Word document is broken.');
  }
}

/**
 * Unpacks a zip file without keeping the content. Returns the names of its entries. Throws UnreadableError for a bomb or a
 * broken file.
 */
function checkZip(bytes: Buffer): Promise<string[]> {
  return new Promise((resolve, reject) => {
    fromBuffer(bytes, { lazyEntries: true, validateEntrySizes: true, strictFileNames: true }, (error, zip) => {
      const refuse = (message: string) => {
        zip?.close();
        reject(new UnreadableError(message));
      };
      if (error || !zip) return refuse('The zip file is broken.');
      if (zip.entryCount > ingestLimits.docxParts)
        return refuse(`The document has more than ${ingestLimits.docxParts} parts.`);
      const names: string[] = [];
      let unpacked = 0;
      zip.on('error', () => refuse('The zip file is broken.'));
      zip.on('end', () => resolve(names));
      zip.on('entry', (entry) => {
        names.push(entry.fileName);
        const isBomb =
          unpacked + entry.uncompressedSize > ingestLimits.docxBytes ||
          (entry.uncompressedSize > ratioFromBytes &&
            entry.uncompressedSize / Math.max(entry.compressedSize, 1) > ingestLimits.docxRatio);
        if (isBomb) return refuse('The document is too large when it is unpacked.');
        if (entry.isEncrypted()) return refuse('The document is encrypted. Remove its password.');
        zip.openReadStream(entry, (fault, stream) => {
          if (fault) return refuse('The zip file is broken.');
          stream.on('data', (chunk: Buffer) => {
            unpacked += chunk.length;
            if (unpacked > ingestLimits.docxBytes) stream.destroy(new Error('too large'));
          });
          stream.on('error', () => refuse('The document is broken, or too large when it is unpacked.'));
          stream.on('end', () => zip.readEntry());
        });
      });
      zip.readEntry();
    });
  });
}
