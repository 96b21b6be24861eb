import type { ImageModelV4 } from '@ai-sdk/provider';
import { type ServerTool, ToolError } from './tool.ts';

/** The image models that can be called. */
export interface ImageModels {
  /** Used where nothing names one; null: none is configured. */
  readonly defaultModel: string | null;
  /** Why nobody answers to a name, with what to set; null: somebody does. */
  unavailableReason(name: string): string | null;
  /** The model of a name that is not refused. */
  imageModel(name: string): ImageModelV4;
}

const timeoutMs = 180_000;
const maxImages = 4;

/** Draws pictures with an image model of a provider. */
export function textToImage(models: ImageModels, settings: { model: string | null; size: string | null }): ServerTool {
  const name = settings.model ?? models.defaultModel;
  return {
    kind: 'TEXT_TO_IMAGE',
    name: 'text_to_image',
    description: 'Draws pictures from a description and shows them to the user below your answer.',
    parameters: {
      type: 'object',
      properties: {
        prompt: { type: 'string', description: 'What the picture shows, and in which style.' },
        count: { type: 'integer', minimum: 1, maximum: maxImages, description: 'How many; 1 if absent.' },
      },
      required: ['prompt'],
      additionalProperties: false,
    },
    provider: name ?? undefined,
    // A picture costs money.
    isRepeatable: false,
    call: async ({ prompt, count = 1 }, { signal, saveFile, write }) => {
      if (name === null) throw new ToolError('not_configured', 'No image model is configured.');
      const images = await draw(
        models,
        name,
        { prompt: String(prompt), n: Number(count), size: settings.size },
        signal,
      );
      for (const [index, image] of images.entries()) {
        const bytes = typeof image === 'string' ? Buffer.from(image, 'base64') : image;
        const type = typeOf(bytes);
        if (!type) throw new ToolError('server_error', 'The image model answered something else than a picture.');
        const saved = await saveFile(`image-${index + 1}.${type}`, `image/${type}`, bytes);
        write(`[The picture ${saved.name} is shown to the user.]\n`);
      }
      return {};
    },
  };
}

async function draw(
  models: ImageModels,
  name: string,
  wish: { prompt: string; n: number; size: string | null },
  signal: AbortSignal,
): Promise<ReadonlyArray<string | Uint8Array>> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const { images } = await models.imageModel(name).doGenerate({
      prompt: wish.prompt,
      n: wish.n,
      size: (wish.size ?? undefined) as `${number}x${number}` | undefined,
      aspectRatio: undefined,
      seed: undefined,
      files: undefined,
      mask: undefined,
      providerOptions: {},
      abortSignal: AbortSignal.any([signal, timeout]),
    });
    return images;
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted)
      throw new ToolError('timeout', `The image model took longer than ${timeoutMs / 1000} s.`, true);
    throw error;
  }
}

const signatures: Array<[type: string, offset: number, bytes: string]> = [
  ['png', 0, '\x89PNG'],
  ['jpeg', 0, '\xff\xd8\xff'],
  ['gif', 0, 'GIF8'],
  ['webp', 8, 'WEBP'],
];

/** The type of an image, by how it begins; null: it is none that is shown here. */
function typeOf(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  return signatures.find(([, offset, text]) => head.startsWith(text, offset))?.[0] ?? null;
}
