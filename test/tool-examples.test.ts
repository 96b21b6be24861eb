import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EchoServer, startEchoServer } from './support/echo-server.ts';
import { startEverything } from './support/everything.ts';
import { useApp } from './support/use-app.ts';

const execute = promisify(execFile);
/** A SearXNG server and a business API. */
let other: EchoServer;

beforeAll(async () => {
  other = await startEchoServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    const results = [{ url: 'https://example.com', title: 'An answer', content: 'It says so.' }];
    response.end(
      JSON.stringify(request.url.startsWith('/search') ? { results } : [{ name: 'Rex', asked: request.url }]),
    );
  });
});
afterAll(() => other.close());
const app = useApp({
  environment: async () => ({ PLUGIN_HOSTS: '127.0.0.1', IMAGE_MODEL: 'demo', SEARCH_URL: other.url }),
});

async function example(name: string, more: Record<string, string> = {}): Promise<string> {
  const file = fileURLToPath(new URL(`../examples/tools/${name}`, import.meta.url));
  const env = { ...process.env, URL: app.url, KEY: app.client.key, ...more };
  const { stdout, stderr } = await execute(process.execPath, [file], { env });
  expect(stderr).toBe('');
  return stdout;
}

test('examples/tools/python.ts', async () => {
  const out = await example('python.ts');
  expect(out).toContain('mean 133.33');
  const url = /summary\.txt: (\S+)/.exec(out)?.[1] ?? '';
  expect(await (await fetch(url)).text()).toBe('best month: Mar');
});

test('examples/tools/search-files.ts', async () => {
  const out = await example('search-files.ts');
  expect(out).toContain('return a product within thirty days. 【1:1】');
  expect(out).toContain('运费由我们承担。 【1:1】');
});

test('examples/tools/draw.ts', async () => {
  const url = /image-1\.png: (\S+)/.exec(await example('draw.ts'))?.[1] ?? '';
  expect((await fetch(url)).headers.get('content-type')).toBe('image/png');
});

test('examples/tools/search-web.ts', async () => {
  expect(await example('search-web.ts')).toContain('1. An answer\nhttps://example.com\nIt says so.');
});

test('examples/tools/openapi.ts', async () => {
  expect(await example('openapi.ts', { API: `${other.url}/v3` })).toContain('/v3/pet/findByStatus?status=available');
});

test('examples/tools/mcp.ts', async () => {
  await using everything = await startEverything();
  expect(await example('mcp.ts', { MCP: everything.url })).toContain('The sum of 2 and 40 is 42.');
});
