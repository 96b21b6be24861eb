import { z } from 'zod';
import { readLimited, TooLongError } from '../async/read-limited.ts';
import { retry } from '../async/retry.ts';
import { webSearchLimits } from './limits.ts';
import { type ServerTool, ToolError } from './tool.ts';

const maxTries = 2;
const retryMs = 500;

/** https://docs.searxng.org/dev/search_api.html */
const responseShape = z.object({
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

/** The tool that searches the web through the operator's SearXNG instance. */
export function webSearch(searchUrl: string, maxResults: number): ServerTool {
  return {
    kind: 'WEB_SEARCH',
    name: 'web_search',
    description: 'Searches the web and returns titles, URLs and excerpts. Name the URLs that your answer is based on.',
    parameters: {
      type: 'object',
      properties: { query: { type: 'string', description: 'The search query, as a person would type it.' } },
      required: ['query'],
      additionalProperties: false,
    },
    isRepeatable: true,
    call: async ({ query }, { write, signal }) => {
      const { results, answers } = await search(searchUrl, String(query), signal);
      const direct = answers.map((answer) => (typeof answer === 'string' ? answer : answer.answer));
      const found = results.slice(0, maxResults).map(({ title, url, content, publishedDate }, index) => {
        const date = publishedDate ? ` (${publishedDate.slice(0, 10)})` : '';
        const excerpt = (content ?? '').slice(0, webSearchLimits.excerpt);
        return `${index + 1}. ${title || url}${date}\n${url}\n${excerpt}`.trimEnd();
      });
      write([...direct, ...found].join('\n\n') || 'Nothing was found.');
      return {};
    },
  };
}

/** Searches, and once more after a temporary failure. Throws ToolError, and the signal's reason when it aborts. */
async function search(searchUrl: string, query: string, signal: AbortSignal): Promise<z.output<typeof responseShape>> {
  const wait = (error: unknown) => (faultOf(error).retryable ? retryMs : null);
  return retry(() => searchOnce(searchUrl, query, signal), { tries: maxTries, wait, signal }).catch((error) => {
    signal.throwIfAborted();
    throw faultOf(error);
  });
}

async function searchOnce(searchUrl: string, query: string, signal: AbortSignal) {
  const url = new URL(`${searchUrl}/search`);
  url.search = new URLSearchParams({ q: query, format: 'json' }).toString();
  const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(webSearchLimits.ms)]) });
  if (!response.ok) {
    const hint = response.status === 403 ? ' Allow the format "json" in its settings.' : '';
    const isTemporary = response.status === 429 || response.status >= 500;
    throw new ToolError('search_failed', `The search responded with status ${response.status}.${hint}`, isTemporary);
  }
  const body = await readLimited(response.body, webSearchLimits.responseBytes);
  const parsed = responseShape.safeParse(parseJson(body.toString()));
  if (!parsed.success) throw new ToolError('search_failed', 'The response of the search is malformed.');
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function faultOf(error: unknown): ToolError {
  if (error instanceof ToolError) return error;
  if (error instanceof TooLongError) return new ToolError('search_failed', error.message);
  const isTimeout = (error as Error).name === 'TimeoutError';
  const problem = isTimeout ? `did not respond within ${webSearchLimits.ms / 1000} s` : 'could not be reached';
  return new ToolError('search_failed', `The search ${problem}.`, true);
}
