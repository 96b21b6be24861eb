import { UnreadableError } from './protocol.ts';

/** How a file is read. */
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

/** How a file of a type is read; null: it holds no text that is read here. */
export const kindOfType = (mimeType: string): FileKind | null =>
  byType.find(([pattern]) => pattern.test(mimeType))?.[1] ?? null;

/**
 * How a file is read, by what it is: that counts more than its name. Throws UnreadableError where the two cannot be brought
 * together.
 */
export function kindOf(mimeType: string, bytes: Uint8Array): FileKind {
  const head = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  const isPdf = head.includes('%PDF-');
  const isZip = head.startsWith('PK\x03\x04');
  const said = kindOfType(mimeType) ?? 'text';
  if (isPdf) return 'pdf';
  if (isZip) return 'docx';
  if (said === 'pdf') throw new UnreadableError('This is no PDF, whatever its name says.');
  if (said === 'docx') throw new UnreadableError('This is no Word document, whatever its name says.');
  return said;
}
