import chardet from 'chardet';
import { UnreadableError } from '../protocol.ts';

/** The confidence, of 100, from which a guess of chardet is used. */
const minConfidence = 50;

/**
 * Decodes text: UTF-16 with a byte order mark, UTF-8, the encoding that chardet is confident of, GB 18030, or
 * windows-1252, the first that fits. Throws UnreadableError for binary data.
 */
export function decodeText(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  const utf8 = decodedAs('utf-8', bytes);
  if (utf8 !== null) {
    if (utf8.includes('\0')) throw new UnreadableError('The file is not text.');
    return utf8;
  }
  if (bytes.subarray(0, 8192).includes(0)) throw new UnreadableError('The file is not text.');
  const [best] = chardet.analyse(bytes.subarray(0, 65_536));
  const guessed = best && best.confidence >= minConfidence ? decodedAs(best.name, bytes) : null;
  return guessed ?? decodedAs('gb18030', bytes) ?? new TextDecoder('windows-1252').decode(bytes);
}

function decodedAs(encoding: string, bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
