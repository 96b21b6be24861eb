import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineLimits } from '../../src/engine/limits.ts';
import { ingestLimits } from '../../src/ingest/limits.ts';
import { documentLimits, pluginCallLimits, webSearchLimits } from '../../src/tools/limits.ts';
import { startTestApp, type TestApp } from '../support/app.ts';
import { zipOf } from '../support/documents.ts';
import { type EchoServer, startEchoServer } from '../support/echo-server.ts';
import { uploadRead } from '../support/file-search.ts';

let app: TestApp;
let server: EchoServer;
let answer: (url: string, response: ServerResponse) => void;

beforeAll(async () => {
  server = await startEchoServer((request, response) => answer(request.url, response));
  app = await startTestApp({ PLUGIN_HOSTS: '127.0.0.1', SEARCH_URL: `${server.url}/` });
});
afterAll(async () => {
  await server.close();
  await app.stop();
});

const openapi = (operation: object = {}, more: object = {}) =>
  JSON.stringify({
    openapi: '3.0.0',
    info: { title: 'A', version: '1' },
    paths: { '/a': { get: { operationId: 'get_a', responses: { 200: { description: 'x' } }, ...operation } } },
    ...more,
  });
const register = (source: object) =>
  app.client.mutate(
    'registerPlugin',
    { name: 'P', source: { openapi: source }, serverUrl: server.url },
    'plugin { id operations { name description } }',
  );

describe('an OpenAPI document', () => {
  test('with long names and descriptions has them cut off', async () => {
    const { plugin } = await register({
      document: openapi({ operationId: 'o'.repeat(200), description: 'd'.repeat(2000) }),
    });
    expect(plugin.operations).toEqual([
      { name: 'o'.repeat(documentLimits.operationName), description: 'd'.repeat(documentLimits.description) },
    ]);
  });

  test('with too many values is refused', async () => {
    const values = Array(documentLimits.values).fill(1);
    expect((await register({ document: openapi({}, { 'x-values': values }) })).refusal).toMatch(
      /more than 200000 values/,
    );
  });

  test('above the limit of bytes is refused as a download, too', async () => {
    answer = (_url, response) => void response.end('x'.repeat(documentLimits.bytes + 1));
    expect((await register({ url: `${server.url}/document` })).refusal).toMatch(/5000000 bytes/);
  });

  test('is downloaded after as many redirects as the limit, but not after one more', async () => {
    answer = (url, response) => {
      const left = Number(url.slice(1));
      if (left > 0) response.writeHead(302, { location: `/${left - 1}` }).end();
      else response.end(openapi());
    };
    expect((await register({ url: `${server.url}/${pluginCallLimits.redirects}` })).plugin).toBeDefined();
    expect((await register({ url: `${server.url}/${pluginCallLimits.redirects + 1}` })).code).toBe('INVALID_INPUT');
  });
});

/** The first tool call of a run that the demo model makes. */
async function callOf(words: string, tool: object, selection: string) {
  const run = await app.client.ask(words, { tools: [tool] });
  const { steps } = await app.client.finished(run.id, `steps { nodes { toolCalls { ${selection} } } }`);
  return steps.nodes[0].toolCalls[0];
}

test('the output of a call above the limit is cut off', async () => {
  const { plugin } = await register({ document: openapi() });
  answer = (_url, response) => {
    response.setHeader('content-type', 'text/plain');
    response.end('x'.repeat(engineLimits.callOutput + 1000));
  };
  const { output } = await callOf('get_a', { plugin: { pluginId: plugin.id } }, '... on PluginToolCall { output }');
  expect(output.slice(0, engineLimits.callOutput)).toMatch(/x{100}$/);
  expect(output.length).toBeLessThan(engineLimits.callOutput + 200);
});

test('the excerpt of a web search result above the limit is cut off', async () => {
  const results = [{ url: 'https://example.com', title: 'T', content: 'y'.repeat(webSearchLimits.excerpt + 1) }];
  answer = (_url, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ query: 'x', results, answers: [], unresponsive_engines: [] }));
  };
  const { output } = await callOf('search the web for x', { webSearch: {} }, '... on WebSearchToolCall { output }');
  expect(output.match(/y+/)?.[0]).toHaveLength(webSearchLimits.excerpt);
});

describe('a file to be searched', () => {
  test('with too many parts of a Word document is not searchable', async () => {
    const parts = Object.fromEntries(Array.from({ length: ingestLimits.docxParts }, (_, index) => [`${index}`, '']));
    const { ingestion } = await uploadRead(app.client, zipOf({ 'word/document.xml': '', ...parts }), 'a.docx');
    expect(ingestion).toMatchObject({ status: 'FAILED', error: expect.stringMatching(/more than 5000 parts/) });
  });

  test('with too long a row of a table is not searchable', async () => {
    const long = `a,b\n${'x'.repeat(ingestLimits.csvRow + 1)},c\n`;
    expect((await uploadRead(app.client, long, 'a.csv')).ingestion.status).toBe('FAILED');
  });

  test('with more columns than the limit is searchable by the first ones', async () => {
    const row = (prefix: string) => Array.from({ length: ingestLimits.csvColumns + 1 }, (_, n) => `${prefix}${n + 1}`);
    const { id, ingestion } = await uploadRead(app.client, `${row('c')}\n${row('value')}`, 'b.csv');
    expect(ingestion.status).toBe('COMPLETED');
    const passages = await app.app.services.database.passage.findMany({ where: { fileId: id } });
    const text = passages.map((passage) => passage.text).join('\n');
    expect(text).toContain(`value${ingestLimits.csvColumns}`);
    expect(text).not.toContain(`value${ingestLimits.csvColumns + 1}`);
  });
});
