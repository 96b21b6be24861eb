import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { readLimited, TooLongError } from './read-limited.ts';
import { type ServerTool, ToolError } from './tool.ts';

const timeoutMs = 15_000;
const retryMs = 500;
const maxBytes = 2_000_000;
const maxExcerpt = 1000;

/** https://docs.searxng.org/dev/search_api.html */
const answerShape = z.object({
  results: z
    .array(
      z.object({
        url: z.string(),
        title: z.string().nullish(),
        content: z.string().nullish(),
        publishedDate: z.string().nullish(),
      }),
    )
    .default([]),
  answers: z.array(z.union([z.string(), z.object({ answer: z.string() })])).default([]),
});

/** Search in the web, through a SearXNG of the operator's. */
export function webSearch(searchUrl: string, maxResults: number): ServerTool {
  return {
    kind: 'WEB_SEARCH',
    name: 'web_search',
    description: 'Searches the web and answers titles, addresses and excerpts. Name the addresses that you rely on.',
    parameters: {
      type: 'object',
      properties: { query: { type: 'string', description: 'What to look for, as one would type it.' } },
      required: ['query'],
      additionalProperties: false,
    },
    isRepeatable: true,
    call: async ({ query }, { write, signal }) => {
      const { results, answers } = await ask(searchUrl, String(query), signal);
      const direct = answers.map((answer) => (typeof answer === 'string' ? answer : answer.answer));
      const found = results.slice(0, maxResults).map(({ title, url, content, publishedDate }, index) => {
        const date = publishedDate ? ` (${publishedDate.slice(0, 10)})` : '';
        return `${index + 1}. ${title || url}${date}\n${url}\n${(content ?? '').slice(0, maxExcerpt)}`.trimEnd();
      });
      write([...direct, ...found].join('\n\n') || 'Nothing was found.');
      return {};
    },
  };
}

async function ask(searchUrl: string, query: string, signal: AbortSignal): Promise<z.output<typeof answerShape>> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await askOnce(searchUrl, query, signal);
    } catch (error) {
      signal.throwIfAborted();
      const fault = error instanceof ToolError ? error : unreachable(error);
      if (!fault.retryable || tries > 0) throw fault;
      await delay(retryMs, undefined, { signal });
    }
  }
}

async function askOnce(searchUrl: string, query: string, signal: AbortSignal) {
  const address = new URL(`${searchUrl}/search`);
  address.search = new URLSearchParams({ q: query, format: 'json' }).toString();
  const response = await fetch(address, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
  if (!response.ok) {
    const hint = response.status === 403 ? ' Its settings have to allow the format json.' : '';
    const isPassing = response.status === 429 || response.status >= 500;
    throw new ToolError('search_failed', `The search answered ${response.status}.${hint}`, isPassing);
  }
  const body = await readLimited(response.body, maxBytes);
  const parsed = answerShape.safeParse(parseJson(body.toString()));
  if (!parsed.success) throw new ToolError('search_failed', 'The search answered something else than results.');
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function unreachable(error: unknown): ToolError {
  if (error instanceof TooLongError) return new ToolError('search_failed', error.message);
  const isSlow = (error as Error).name === 'TimeoutError';
  const what = isSlow ? `did not answer within ${timeoutMs / 1000} s` : 'could not be reached';
  return new ToolError('search_failed', `The search ${what}.`, true);
}
