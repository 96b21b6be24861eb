import mammoth from 'mammoth';
import { fromBuffer } from 'yauzl';
import { UnreadableError } from '../protocol.ts';

const limits = { entries: 5000, bytes: 100_000_000, ratio: 500 };

/** The paragraphs of a Word document. Throws UnreadableError, before anything large is unpacked. */
export async function textOfDocx(bytes: Buffer): Promise<string> {
  const names = await checkZip(bytes);
  if (!names.includes('word/document.xml')) throw new UnreadableError('This is a zip file, and no Word document.');
  try {
    return (await mammoth.extractRawText({ buffer: bytes })).value;
  } catch {
    throw new UnreadableError('This Word document is broken.');
  }
}

/** Unpacks a zip file without keeping anything; returns the names in it. Throws UnreadableError when it is a bomb, or broken. */
function checkZip(bytes: Buffer): Promise<string[]> {
  return new Promise((resolve, reject) => {
    fromBuffer(bytes, { lazyEntries: true, validateEntrySizes: true, strictFileNames: true }, (error, zip) => {
      const refuse = (message: string) => {
        zip?.close();
        reject(new UnreadableError(message));
      };
      if (error || !zip) return refuse('This zip file is broken.');
      if (zip.entryCount > limits.entries) return refuse('This document has too many parts.');
      const names: string[] = [];
      let unpacked = 0;
      zip.on('error', () => refuse('This zip file is broken.'));
      zip.on('end', () => resolve(names));
      zip.on('entry', (entry) => {
        names.push(entry.fileName);
        const isBomb =
          unpacked + entry.uncompressedSize > limits.bytes ||
          (entry.uncompressedSize > 1_000_000 &&
            entry.uncompressedSize / Math.max(entry.compressedSize, 1) > limits.ratio);
        if (isBomb) return refuse('This document is too large when it is unpacked.');
        if (entry.isEncrypted()) return refuse('This document is encrypted.');
        zip.openReadStream(entry, (fault, stream) => {
          if (fault) return refuse('This zip file is broken.');
          stream.on('data', (chunk: Buffer) => {
            unpacked += chunk.length;
            if (unpacked > limits.bytes) stream.destroy(new Error('too large'));
          });
          stream.on('error', () => refuse('This document is broken, or too large when it is unpacked.'));
          stream.on('end', () => zip.readEntry());
        });
      });
      zip.readEntry();
    });
  });
}
