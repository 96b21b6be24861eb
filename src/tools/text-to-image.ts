import type { ImageModelV4 } from '@ai-sdk/provider';
import { imageLimits } from './limits.ts';
import { type ServerTool, ToolError } from './tool.ts';

/** The configured image models. */
export interface ImageModels {
  /** The model of tools that name none; null: none is configured. */
  readonly defaultModel: string | null;
  /** The reason why a model cannot be used, with the setting to change; null: it can. */
  unavailableReason(name: string): string | null;
  /** The model of a name that `unavailableReason` accepts. */
  imageModel(name: string): ImageModelV4;
}

/** The tool that draws images with an image model of a provider. */
export function textToImage(models: ImageModels, settings: { model: string | null; size: string | null }): ServerTool {
  const name = settings.model ?? models.defaultModel;
  return {
    kind: 'TEXT_TO_IMAGE',
    name: 'text_to_image',
    description: 'Draws images from a description and shows them to the user below your answer.',
    parameters: {
      type: 'object',
      properties: {
        prompt: { type: 'string', description: 'The content and the style of the image.' },
        count: {
          type: 'integer',
          minimum: 1,
          maximum: imageLimits.perCall,
          description: 'The number of images; default: 1.',
        },
      },
      required: ['prompt'],
      additionalProperties: false,
    },
    provider: name ?? undefined,
    // Each call costs money.
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
        if (!type) throw new ToolError('server_error', 'The image model returned data that is not a supported image.');
        const saved = await saveFile(`image-${index + 1}.${type}`, `image/${type}`, bytes);
        write(`[The image ${saved.name} is shown to the user.]\n`);
      }
      return {};
    },
  };
}

async function draw(
  models: ImageModels,
  name: string,
  request: { prompt: string; n: number; size: string | null },
  signal: AbortSignal,
): Promise<ReadonlyArray<string | Uint8Array>> {
  const timeout = AbortSignal.timeout(imageLimits.ms);
  try {
    const { images } = await models.imageModel(name).doGenerate({
      prompt: request.prompt,
      n: request.n,
      size: (request.size ?? undefined) as `${number}x${number}` | undefined,
      aspectRatio: undefined,
      seed: undefined,
      files: undefined,
      mask: undefined,
      providerOptions: {},
      abortSignal: AbortSignal.any([signal, timeout]),
    });
    // A provider may return more than it was asked for.
    return images.slice(0, request.n);
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted)
      throw new ToolError('timeout', `The image model took longer than ${imageLimits.ms / 1000} s.`, true);
    throw error;
  }
}

const signatures: Array<[type: string, offset: number, bytes: string]> = [
  ['png', 0, '\x89PNG'],
  ['jpeg', 0, '\xff\xd8\xff'],
  ['gif', 0, 'GIF8'],
  ['webp', 8, 'WEBP'],
];

/** The type of an image by its signature; null: it is not a supported type. */
function typeOf(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  return signatures.find(([, offset, text]) => head.startsWith(text, offset))?.[0] ?? null;
}
