import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { type EchoServer, startEchoServer } from '../support/echo-server.ts';

let app: TestApp;
/** Answers as a SearXNG does. */
let searxng: EchoServer;
let answer: (response: ServerResponse) => void;

const found =
  (results: object[], more: object = {}) =>
  (response: ServerResponse) => {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ query: 'x', number_of_results: 0, results, answers: [], unresponsive_engines: [], ...more }),
    );
  };

beforeAll(async () => {
  searxng = await startEchoServer((_request, response) => answer(response));
  app = await startTestApp({ SEARCH_URL: `${searxng.url}/` });
});
afterAll(async () => {
  await searxng.close();
  await app.stop();
});

async function search(words = 'search the web for 天气 & rain') {
  const run = await app.client.ask(words, { tools: [{ webSearch: { maxResults: 2 } }] });
  const { status, steps } = await app.client.finished(
    run.id,
    'status steps { nodes { toolCalls { status error { code message } ... on WebSearchToolCall { query output } } } }',
  );
  return { status, call: steps.nodes[0].toolCalls[0] };
}

test('the output has titles, URLs and excerpts, up to the limit', async () => {
  const results = Array.from({ length: 5 }, (_, index) => ({
    url: `https://example.com/${index}`,
    title: `Title ${index}`,
    content: `Excerpt ${index}`,
    publishedDate: index === 0 ? '2026-11-01T00:00:00' : null,
    engine: 'x',
  }));
  answer = found(results, { answers: ['It is raining.'] });
  const { status, call } = await search();
  expect(status).toBe('COMPLETED');
  expect(call).toMatchObject({ status: 'COMPLETED', query: '天气 & rain', error: null });
  expect(call.output).toBe(
    'It is raining.\n\n1. Title 0 (2026-11-01)\nhttps://example.com/0\nExcerpt 0\n\n2. Title 1\nhttps://example.com/1\nExcerpt 1',
  );
  const heard = new URL(searxng.heard.at(-1)?.url ?? '', searxng.url);
  expect([heard.pathname, Object.fromEntries(heard.searchParams)]).toEqual([
    '/search',
    { q: '天气 & rain', format: 'json' },
  ]);
});

test('an empty result is reported', async () => {
  answer = found([]);
  expect((await search()).call.output).toBe('Nothing was found.');
});

test.each([
  [
    'a search that does not allow JSON',
    (response: ServerResponse) => void response.writeHead(403).end('<html>'),
    /403.*"json"/,
  ],
  ['a response that is not JSON', (response: ServerResponse) => void response.end('<html>'), /malformed/],
  ['malformed results', (response: ServerResponse) => void response.end('{"results":[{"no":"url"}]}'), /malformed/],
  ['an endless response', (response: ServerResponse) => void response.end(`"${'x'.repeat(3_000_000)}"`), /larger than/],
  ['a broken connection', (response: ServerResponse) => void response.destroy(), /could not be reached/],
])('%s fails the call, but not the run', async (_name, how, why) => {
  answer = how;
  const { status, call } = await search();
  expect(status).toBe('COMPLETED');
  expect(call).toMatchObject({
    status: 'FAILED',
    error: { code: 'search_failed', message: expect.stringMatching(why) },
  });
});

test('a search is retried after a temporary failure', async () => {
  let tries = 0;
  answer = (response) => {
    tries += 1;
    if (tries === 1) response.writeHead(503).end();
    else found([{ url: 'https://example.com', title: 'There', content: '' }])(response);
  };
  expect((await search()).call.output).toContain('There');
});

test('without a search URL the tool is refused with the name of the setting', async () => {
  await using other = await startTestApp();
  const input = { tools: [{ webSearch: {} }] };
  const refused = await other.client.mutate('createAssistant', input, 'assistant { id }');
  expect(refused).toMatchObject({
    code: 'INVALID_INPUT',
    issues: [{ path: ['tools', '0'], message: expect.stringContaining('SEARCH_URL') }],
  });
  const run = await other.client.mutate('createRun', { thread: {}, ...input }, 'run { id }');
  expect(run).toMatchObject({ code: 'INVALID_INPUT' });
});
