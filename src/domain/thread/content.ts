import { z } from 'zod';
import type { Message } from '../../db/generated/client.ts';
import { absentOr, textUpTo } from '../input.ts';

/** A part of a message's content, as its row keeps it. */
export type MessagePart =
  | { type: 'text'; text: string }
  | { type: 'image'; url: string; detail: string | null }
  | { type: 'file'; fileId: string; detail: string | null }
  | { type: 'refusal'; refusal: string };

/** How long the texts of a message may be together. */
const maxCharacters = 256_000;
const imageUrl = z
  .string()
  .max(4_000_000, 'At most 4,000,000 characters, please')
  .regex(
    /^(https?:\/\/\S+|data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+)$/,
    'Give an http(s) address or a data: URL of a png, jpeg, gif or webp image',
  )
  .refine((url) => url.startsWith('data:') || URL.canParse(url), 'This is no address');
const part = z.object({
  text: textUpTo(maxCharacters).optional(),
  imageUrl: imageUrl.optional(),
  imageFileId: z.string().optional(),
});
/** The fields of an input that give a message its content. */
export const contentFields = {
  text: absentOr(textUpTo(maxCharacters)),
  content: absentOr(z.array(part).max(100, 'At most 100 parts, please')),
};

/** The content of an input. */
export interface ContentInput {
  text?: string;
  content?: Array<z.output<typeof part>>;
}

/** What is wrong with the content of a message, at its path; null when nothing is. */
function contentFault({ text, content }: ContentInput): { path: string[]; message: string } | null {
  if ((text === undefined) === (content === undefined))
    return { path: [], message: 'Give text or content, one of the two' };
  if (text !== undefined) return text.trim() === '' ? { path: ['text'], message: 'The text must not be empty' } : null;
  const characters = content?.reduce((sum, { text = '' }) => sum + text.length, 0) ?? 0;
  if (characters > maxCharacters) return { path: ['content'], message: `At most ${maxCharacters} characters, please` };
  const isEmpty = content?.every(({ text, imageUrl, imageFileId }) => !imageUrl && !imageFileId && !text?.trim());
  return isEmpty ? { path: ['content'], message: 'The content must not be empty' } : null;
}

/** Refuses an input whose content is not one text, or parts with something in them. */
export const checkContent = (input: ContentInput, check: z.RefinementCtx) => {
  const fault = contentFault(input);
  if (fault) check.addIssue({ code: 'custom', ...fault });
};

/** The columns that hold a content: the joined text, and the parts where they are more than one plain text. */
export function contentColumns({ text, content }: ContentInput): { text: string; parts: MessagePart[] | null } {
  if (text !== undefined) return { text, parts: null };
  const parts = (content ?? []).map((part): MessagePart => {
    if (part.imageUrl !== undefined) return { type: 'image', url: part.imageUrl, detail: null };
    if (part.imageFileId !== undefined) return { type: 'file', fileId: part.imageFileId, detail: null };
    return { type: 'text', text: part.text ?? '' };
  });
  const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
  const isPlain = parts.length === 1 && parts[0]?.type === 'text';
  return { text: texts.join('\n'), parts: isPlain ? null : parts };
}

/** The parts of a message's row; one text part for a plain text. */
export function partsOf(message: Pick<Message, 'text' | 'parts'>): MessagePart[] {
  return (message.parts as MessagePart[] | null) ?? [{ type: 'text', text: message.text }];
}

/** The files that stand in a content. */
export const filesIn = (parts: MessagePart[] | null): string[] =>
  (parts ?? []).flatMap((part) => (part.type === 'file' ? [part.fileId] : []));
