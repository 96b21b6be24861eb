import { buffer } from 'node:stream/consumers';
import type { LanguageModelV4FilePart, LanguageModelV4TextPart } from '@ai-sdk/provider';
import type { DomainContext } from '../domain/context.ts';
import type { PromptFile } from '../domain/thread/run-context.ts';
import { engineLimits } from './limits.ts';

const image = /^image\/(png|jpeg|gif|webp)$/;

/** The stored files of one prompt. Images are included in the order of the requests, up to a limit of bytes. */
export class PromptFiles {
  readonly #ctx: DomainContext;
  readonly #read = new Map<string, LanguageModelV4FilePart>();
  #room = engineLimits.promptImageBytes;

  constructor(ctx: DomainContext) {
    this.#ctx = ctx;
  }

  /** A stored file as a part of a prompt: an image with its bytes, any other file by its name. */
  async part(known: PromptFile[], id: string): Promise<LanguageModelV4FilePart | LanguageModelV4TextPart> {
    const file = known.find((candidate) => candidate.id === id);
    if (!file) return { type: 'text', text: '[A deleted image]' };
    const named = { type: 'text' as const, text: `[The file ${file.name}]` };
    if (!image.test(file.mimeType) || file.sizeBytes > this.#room) return named;
    // An image that is shown twice is sent twice.
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
      log.error({ err: error, fileId: id }, 'file read failed');
      return null;
    }
  }
}
