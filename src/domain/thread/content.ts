import { z } from 'zod';
import type { Message } from '../../db/generated/client.ts';
import { absentOr, listUpTo, textUpTo } from '../input.ts';
import { messageLimits } from '../limits.ts';

/** The resolution at which a model reads an image. */
type ImageDetail = 'auto' | 'low' | 'high';

/** A part of a message's content, as stored. */
export type MessagePart =
  | { type: 'text'; text: string }
  | { type: 'image'; url: string; detail: ImageDetail | null }
  | { type: 'file'; fileId: string; detail: ImageDetail | null }
  | { type: 'refusal'; refusal: string };

const imageUrl = textUpTo(messageLimits.imageUrl)
  .regex(
    /^(https?:\/\/\S+|data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+)$/,
    'Must be an http(s) URL, or a data: URL of a png, jpeg, gif or webp image',
  )
  .refine((url) => url.startsWith('data:') || URL.canParse(url), 'Must be a valid URL');
const part = z.object({
  text: textUpTo(messageLimits.text).optional(),
  imageUrl: imageUrl.optional(),
  imageFileId: z.string().optional(),
});
/** The input fields of a message's content. */
export const contentFields = {
  text: absentOr(textUpTo(messageLimits.text)),
  content: absentOr(listUpTo(part, messageLimits.parts, 'parts')),
};

/** The content of a message input. */
export interface ContentInput {
  text?: string;
  content?: Array<z.output<typeof part>>;
}

/** The first violation in a message's content, with its path; null: the content is valid. */
function contentFault({ text, content }: ContentInput): { path: string[]; message: string } | null {
  if ((text === undefined) === (content === undefined))
    return { path: [], message: 'Exactly one of text and content is required' };
  if (text !== undefined) return text.trim() === '' ? { path: ['text'], message: 'The text must not be empty' } : null;
  const characters = content?.reduce((sum, { text = '' }) => sum + text.length, 0) ?? 0;
  if (characters > messageLimits.text) {
    return { path: ['content'], message: `At most ${messageLimits.text} characters in all text parts` };
  }
  const isEmpty = content?.every(({ text, imageUrl, imageFileId }) => !imageUrl && !imageFileId && !text?.trim());
  return isEmpty ? { path: ['content'], message: 'The content must not be empty' } : null;
}

/** Adds an issue unless the input has either a text that is not blank, or parts of which at least one is not empty. */
export const checkContent = (input: ContentInput, check: z.RefinementCtx) => {
  const fault = contentFault(input);
  if (fault) check.addIssue({ code: 'custom', ...fault });
};

/** The columns of a message's content: the joined text, and the parts; null for a single text part. */
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

/** The parts of a stored message; one text part for plain text. */
export function partsOf(message: Pick<Message, 'text' | 'parts'>): MessagePart[] {
  return (message.parts as MessagePart[] | null) ?? [{ type: 'text', text: message.text }];
}

/** The IDs of the files in the content. */
export const filesIn = (parts: MessagePart[] | null): string[] =>
  (parts ?? []).flatMap((part) => (part.type === 'file' ? [part.fileId] : []));
