import { buffer } from 'node:stream/consumers';
import type { LanguageModelV4FilePart, LanguageModelV4TextPart } from '@ai-sdk/provider';
import type { DomainContext } from '../domain/context.ts';
import type { PromptFile } from '../domain/thread/run-context.ts';

/** How much of images one prompt holds, in bytes: more no provider takes. */
const maxBytes = 30_000_000;
const image = /^image\/(png|jpeg|gif|webp)$/;

/** The stored files of one prompt: those that are asked for first are in it, as many as there is room for. */
export class PromptFiles {
  readonly #ctx: DomainContext;
  readonly #read = new Map<string, LanguageModelV4FilePart>();
  #room = maxBytes;

  constructor(ctx: DomainContext) {
    this.#ctx = ctx;
  }

  /** A stored file of a content as providers take it: an image itself, of anything else that it is there. */
  async part(known: PromptFile[], id: string): Promise<LanguageModelV4FilePart | LanguageModelV4TextPart> {
    const file = known.find((one) => one.id === id);
    if (!file) return { type: 'text', text: '[An image that has been deleted.]' };
    const named = { type: 'text' as const, text: `[The file ${file.name}]` };
    if (!image.test(file.mimeType) || file.sizeBytes > this.#room) return named;
    // However often it is shown, each time it is sent.
    this.#room -= file.sizeBytes;
    const part = this.#read.get(id) ?? (await this.#load(file));
    if (!part) return named;
    this.#read.set(id, part);
    return part;
  }

  async #load({ blobKey, mimeType, id }: PromptFile): Promise<LanguageModelV4FilePart | null> {
    const { files, workspaceId, log } = this.#ctx;
    try {
      const data = await buffer(files.read(workspaceId, blobKey));
      return { type: 'file', mediaType: mimeType, data: { type: 'data', data: data.toString('base64') } };
    } catch (error) {
      log.error({ err: error, fileId: id }, 'the bytes of a file could not be read');
      return null;
    }
  }
}
