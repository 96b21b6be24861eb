import { buffer } from 'node:stream/consumers';
import type { LanguageModelV4FilePart, LanguageModelV4TextPart } from '@ai-sdk/provider';
import type { DomainContext } from '../domain/context.ts';
import type { ToldFile } from '../domain/conversation.ts';

/** Larger images no provider takes. */
const maxBytes = 20_000_000;
const image = /^image\/(png|jpeg|gif|webp)$/;

/** A stored file of a content as providers take it: an image itself, of anything else that it is there. */
export async function fileForModel(
  { files, workspaceId }: DomainContext,
  known: ToldFile[],
  id: string,
): Promise<LanguageModelV4FilePart | LanguageModelV4TextPart> {
  const file = known.find((one) => one.id === id);
  if (!file) return { type: 'text', text: '[An image that has been deleted.]' };
  if (!image.test(file.mimeType) || file.sizeBytes > maxBytes) return { type: 'text', text: `[The file ${file.name}]` };
  const data = await buffer(files.read(workspaceId, file.blobKey));
  return { type: 'file', mediaType: file.mimeType, data: { type: 'data', data: data.toString('base64') } };
}
