import { setTimeout as delay } from 'node:timers/promises';
import {
  APICallError,
  type ImageModelV4,
  type ImageModelV4CallOptions,
  type ImageModelV4Result,
} from '@ai-sdk/provider';
import { z } from 'zod';
import { readLimited, TooLongError } from '../async/read-limited.ts';
import { providerLimits } from './limits.ts';
import { providerFetch } from './provider-fetch.ts';
import type { FetchAnywhere } from './vendor.ts';

const pollMs = 1000;
const synthesis = 'services/aigc/text2image/image-synthesis';
const generation = 'services/aigc/multimodal-generation/generation';

const taskShape = z.object({
  output: z.object({
    task_id: z.string().regex(/^[\w-]{1,200}$/),
    task_status: z.string(),
    code: z.string().nullish(),
    message: z.string().nullish(),
    results: z.array(z.object({ url: z.string().optional(), message: z.string().optional() })).optional(),
  }),
});
const responseShape = z.object({
  output: z.object({
    choices: z.array(z.object({ message: z.object({ content: z.array(z.object({ image: z.string().optional() })) }) })),
  }),
});
const errorShape = z.object({ message: z.string() });

/**
 * DashScope's image models, which the AI SDK lacks. Qwen-Image and newer Wan models respond with the images, older Wan
 * models with a task to poll. https://www.alibabacloud.com/help/en/model-studio/text-to-image-v2-api-reference
 */
export class DashScopeImageModel implements ImageModelV4 {
  readonly specificationVersion = 'v4';
  readonly provider = 'alibaba';
  readonly maxImagesPerCall = 4;
  readonly modelId: string;
  readonly #base: string;
  readonly #apiKey: string;
  readonly #fetchAnywhere: FetchAnywhere;

  /** `baseURL`: that of DashScope's native API. `fetchAnywhere`: for images at other servers. */
  constructor(
    { baseURL, apiKey, fetchAnywhere }: { baseURL: string; apiKey: string; fetchAnywhere: FetchAnywhere },
    modelId: string,
  ) {
    this.modelId = modelId;
    this.#base = baseURL;
    this.#apiKey = apiKey;
    this.#fetchAnywhere = fetchAnywhere;
  }

  async doGenerate(options: ImageModelV4CallOptions): Promise<ImageModelV4Result> {
    const isTask = /^wan(x|2\.[0-5])/.test(this.modelId);
    const urls = isTask ? await this.#generateInTask(options) : await this.#generate(options);
    if (urls.length === 0) throw this.#failure(200, 'The provider returned no image.', '');
    const images = await Promise.all(urls.slice(0, options.n).map((url) => this.#download(url, options.abortSignal)));
    const response = { timestamp: new Date(), modelId: this.modelId, headers: undefined };
    return { images, warnings: [], response };
  }

  async #generate({ prompt, n, size, abortSignal }: ImageModelV4CallOptions): Promise<string[]> {
    const input = { messages: [{ role: 'user', content: [{ text: prompt }] }] };
    const body = { model: this.modelId, input, parameters: parametersOf(n, size) };
    const { output } = await this.#call(responseShape, generation, { body, abortSignal });
    return output.choices.flatMap(({ message }) => message.content.flatMap(({ image }) => image ?? []));
  }

  async #generateInTask({ prompt, n, size, abortSignal }: ImageModelV4CallOptions): Promise<string[]> {
    const body = { model: this.modelId, input: { prompt }, parameters: parametersOf(n, size) };
    let { output } = await this.#call(taskShape, synthesis, { body, abortSignal, isTask: true });
    while (output.task_status === 'PENDING' || output.task_status === 'RUNNING') {
      await delay(pollMs, undefined, { signal: abortSignal });
      ({ output } = await this.#call(taskShape, `tasks/${output.task_id}`, { abortSignal }));
    }
    if (output.task_status !== 'SUCCEEDED') {
      throw this.#failure(
        400,
        output.message ?? `The task ended with the status ${output.task_status}.`,
        output.task_id,
      );
    }
    return (output.results ?? []).flatMap(({ url }) => url ?? []);
  }

  async #call<T>(
    shape: z.ZodType<T>,
    path: string,
    { body, abortSignal, isTask = false }: { body?: object; abortSignal?: AbortSignal | undefined; isTask?: boolean },
  ): Promise<T> {
    const url = `${this.#base}/${path}`;
    const response = await this.#fetch(url, {
      method: body ? 'POST' : 'GET',
      headers: {
        authorization: `Bearer ${this.#apiKey}`,
        'content-type': 'application/json',
        ...(isTask ? { 'x-dashscope-async': 'enable' } : {}),
      },
      body: body ? JSON.stringify(body) : null,
      signal: abortSignal ?? null,
    });
    const text = await response.text();
    if (response.ok) {
      const answer = shape.safeParse(parseJson(text));
      if (!answer.success) throw this.#failure(response.status, 'The response has an unknown form.', url);
      return answer.data;
    }
    const error = errorShape.safeParse(parseJson(text));
    throw this.#failure(response.status, error.success ? error.data.message : response.statusText, url);
  }

  async #download(url: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const response = await this.#fetchImage(url, signal);
    if (!response.ok) throw this.#failure(response.status, 'The image could not be downloaded.', url);
    try {
      return await readLimited(response.body as AsyncIterable<Uint8Array> | null, providerLimits.imageBytes);
    } catch (error) {
      if (!(error instanceof TooLongError)) throw error;
      throw this.#failure(200, `The image is larger than ${providerLimits.imageBytes} bytes.`, url);
    }
  }

  /** The provider chooses the URL. Only its own server may have an address that is not public, and cannot redirect. */
  async #fetchImage(url: string, signal: AbortSignal | undefined): ReturnType<FetchAnywhere> {
    if (!URL.canParse(url)) throw this.#failure(200, 'The provider returned an image without a URL.', '');
    const target = new URL(url);
    const isOwn = target.origin === new URL(this.#base).origin;
    if (isOwn) return this.#fetch(url, { signal: signal ?? null, redirect: 'error' });
    return this.#fetchAnywhere(target, signal).catch((cause: unknown) => {
      signal?.throwIfAborted();
      const reason = cause instanceof Error ? cause.message : 'unknown reason';
      throw this.#failure(200, `The image could not be downloaded: ${reason}`, url);
    });
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    return providerFetch(url, init).catch((cause) => {
      init.signal?.throwIfAborted();
      throw new APICallError({
        message: 'The provider could not be reached.',
        url,
        requestBodyValues: {},
        cause,
        isRetryable: true,
      });
    });
  }

  #failure(statusCode: number, message: string, url: string): APICallError {
    return new APICallError({ message, url, requestBodyValues: {}, statusCode, data: { message } });
  }
}

const parametersOf = (n: number, size: string | undefined) => ({
  n,
  ...(size ? { size: size.replace('x', '*') } : {}),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
