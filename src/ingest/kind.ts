import { UnreadableError } from './protocol.ts';

/** The formats that are read. */
export type FileKind = 'pdf' | 'docx' | 'html' | 'csv' | 'json' | 'text';

const docx = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
const byType: Array<[pattern: RegExp, kind: FileKind]> = [
  [/^application\/pdf$/, 'pdf'],
  [new RegExp(`^${docx.replaceAll('.', '\\.')}$`), 'docx'],
  [/^(text\/html|application\/xhtml\+xml)$/, 'html'],
  [/^text\/csv$/, 'csv'],
  [/^application\/(json|.+\+json|geo\+json)$/, 'json'],
  [/^text\/|^application\/(xml|yaml|x-yaml|toml|javascript|x-sh|sql|.+\+xml)$/, 'text'],
];

/** The format of a MIME type; null: no text is read from it. */
export const kindOfType = (mimeType: string): FileKind | null =>
  byType.find(([pattern]) => pattern.test(mimeType))?.[1] ?? null;

/**
 * The format of a file. PDF and zip signatures in its first bytes take precedence over the MIME type. Throws
 * UnreadableError when the MIME type requires a signature that is not there.
 */
export function kindOf(mimeType: string, bytes: Uint8Array): FileKind {
  const head = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  const isPdf = head.includes('%PDF-');
  const isZip = head.startsWith('PK\x03\x04');
  const declared = kindOfType(mimeType) ?? 'text';
  if (isPdf) return 'pdf';
  if (isZip) return 'docx';
  if (declared === 'pdf') throw new UnreadableError('The file is not a PDF, despite its name or type.');
  if (declared === 'docx') {
    throw new UnreadableError('The file is not a Word document, despite its name or type.');
  }
  return declared;
}
