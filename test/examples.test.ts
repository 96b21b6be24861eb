import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { hasBrowser, startBrowser } from './support/browser.ts';
import { Client } from './support/client.ts';
import { useApp } from './support/use-app.ts';

const example = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const app = useApp({ environment: { DEMO_DELAY_MS: '2' } });

const run = promisify(execFile);

test('examples/chat.ts prints the answer', async () => {
  const env = { ...process.env, URL: app.url, KEY: app.client.key };
  const { stdout, stderr } = await run(process.execPath, [example('chat.ts'), 'say', '你好', '🌍'], { env });
  expect([stdout, stderr]).toEqual(['你好 🌍\n', '']);
});

test('examples/chat.ts prints the reason of a failure', async () => {
  const env = { ...process.env, URL: app.url, KEY: 'wrong' };
  const { code, stderr } = await run(process.execPath, [example('chat.ts')], { env }).catch((error) => error);
  expect(code).toBe(1);
  expect(stderr).toContain('The key is unknown');
});

test.skipIf(!hasBrowser)('examples/chat.html shows the conversation of an end user (needs Chromium)', async () => {
  await app.client.createAssistant({ name: 'Guide' });
  const user = await app.client.asUser('alice');
  const browser = await startBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(`file://${example('chat.html')}`);
    await page.fill('#url', `${app.url.replace('http', 'ws')}/graphql`);
    await page.fill('#key', user.key);
    await page.click('#connect button');
    await page.getByText('Connected.').waitFor();
    for (const words of ['first words', 'second words']) {
      await page.fill('#text', `say ${words}`);
      await page.click('#ask button');
      await page.locator('.ASSISTANT', { hasText: new RegExp(`^${words}$`) }).waitFor();
    }
    expect(await page.locator('#messages p').count()).toBe(4);
  } finally {
    await browser.close();
  }
});

test('the operations in the README work as written', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const operations = [...readme.matchAll(/```graphql\n(.*?)```/gs)].map(([, text]) => text as string);
  expect(operations.map((text) => text.split(/\s/, 1)[0])).toEqual([
    'query',
    'mutation',
    'subscription',
    'mutation',
    'mutation',
  ]);
  const [query, mutation, subscription, python, token] = operations as [string, string, string, string, string];
  expect((await app.client.data(query)).viewer).toBeDefined();
  const { createRun } = await app.client.data(mutation);
  const pasted = subscription.replace(/run_…/, createRun.run.id);
  const seen = [];
  for await (const event of app.client.subscribe(pasted, {}, 'runEvents')) seen.push(event);
  expect(seen.at(-1)).toMatchObject({ status: 'COMPLETED' });
  const { id } = (await app.client.data(python)).createRun.run;
  const { steps } = await app.client.finished(
    id,
    'steps { nodes { toolCalls { ... on CodeInterpreterToolCall { logs files { name } } } } }',
  );
  expect(steps.nodes[0].toolCalls[0]).toMatchObject({
    logs: expect.stringContaining('25 primes'),
    files: [{ name: 'primes.csv' }],
  });
  const alice = new Client(app.url, (await app.client.data(token)).createSessionToken.token);
  expect((await alice.data('{ viewer { userId } }')).viewer.userId).toBe('alice');
});
