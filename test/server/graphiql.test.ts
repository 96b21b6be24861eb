import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { hasBrowser, startBrowser } from '../support/browser.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp({ environment: { DEMO_DELAY_MS: '2' } });
const sizes = [
  { width: 1360, height: 800 },
  { width: 1920, height: 1080 },
];
const names = ['Start', 'CreateAssistant', 'Run', 'Follow', 'Python', 'Browse'];

test('the server has an icon for pages that name none', async () => {
  const response = await fetch(`${app.url}/favicon.ico`);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/svg+xml']);
  expect(await response.text()).toMatch(/^<svg.*<\/svg>$/);
});

describe.skipIf(!hasBrowser)('in Chromium, GraphiQL', () => {
  let browser: Browser;
  let profile: BrowserContext;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  beforeEach(async () => {
    profile = await browser.newContext({ viewport: sizes[0] ?? null });
  });
  afterEach(() => profile.close());
  afterAll(() => browser.close());

  const editor = (page: Page) => page.locator('.graphiql-query-editor');
  const keyInput = (page: Page) => page.getByLabel('API key');
  const hint = (page: Page) => page.getByRole('alert').filter({ hasText: 'Paste the API key here' });
  const result = (page: Page, text: string, timeout = 30_000) =>
    page.locator('.result-window', { hasText: text }).waitFor({ timeout });
  const runButton = (page: Page) => page.locator('.graphiql-execute-button');
  const tabNames = async (page: Page) => (await page.getByRole('tab').allInnerTexts()).map((name) => name.trim());
  const activeTab = (page: Page) => page.locator('[role=tab][aria-selected=true] button').first().textContent();
  const isShown = (page: Page) => editor(page).locator('.view-line').first().waitFor();

  async function open(parameters: Record<string, string> = {}, page?: Page): Promise<Page> {
    const opened = page ?? (await profile.newPage());
    await opened.goto(`${app.url}/graphql?${new URLSearchParams(parameters)}`);
    await isShown(opened);
    return opened;
  }

  async function reload(page: Page): Promise<void> {
    await page.reload();
    await isShown(page);
  }

  const clickTab = (page: Page, name: string) => page.getByRole('tab', { name }).getByRole('button').first().click();

  /** Waits until the browser has stored a tab as the active one, with a text in it. */
  const isStored = (page: Page, tab: number, text: string) =>
    page.waitForFunction(
      ([index, part]) => {
        const { tabs = [], activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{}');
        return activeTabIndex === index && JSON.stringify(tabs[index as number]).includes(part as string);
      },
      [tab, text] as const,
    );

  /** Writes into the Headers pane. An editor that is not ready drops the text. */
  async function writeHeaders(page: Page, headers: object): Promise<void> {
    await page.getByRole('button', { name: 'Headers' }).click();
    const pane = page.locator('.graphiql-editor-tool .monaco-editor:visible').first();
    const write = async () => {
      await pane.click();
      await page.keyboard.press('Control+A');
      await page.keyboard.insertText(JSON.stringify(headers));
      await pane.getByText('"').first().waitFor({ timeout: 1000 });
    };
    await vi.waitFor(write, 20_000);
  }

  test.each(sizes)(
    'opens each preset tab with one click, even if the mouse moves a little: $width',
    async (viewport) => {
      const page = await profile.newPage();
      await page.setViewportSize(viewport);
      await open({}, page);
      for (const [index, name] of [...names.entries()].slice(1)) {
        const tab = page.getByRole('tab').nth(index);
        const before = await tab.boundingBox();
        const { x = 0, y = 0 } = before ?? {};
        await page.mouse.move(x + 20, y + 15);
        await page.mouse.down();
        expect(await tab.boundingBox()).toEqual(before);
        await page.mouse.move(x + 28, y + 15, { steps: 4 });
        await page.mouse.up();
        await expect.poll(() => activeTab(page)).toBe(name);
        await editor(page).getByText(name, { exact: true }).waitFor();
      }
      expect(await tabNames(page)).toEqual(names);
    },
  );

  test('shows its tabs after a reload and adds none, whichever is open', async () => {
    const page = await open();
    for (const name of ['Start', 'Follow']) {
      await clickTab(page, name);
      await isStored(page, names.indexOf(name), name);
      await reload(page);
      expect([await tabNames(page), await activeTab(page)]).toEqual([names, name]);
    }
    await page.locator('.graphiql-editor-tool', { hasText: 'runId' }).waitFor();
  });

  test('opens the operation in its address in a tab of its own, which a reload keeps as it was edited', async () => {
    const link = { query: 'query Linked($n: Int) { threads(first: $n) { __typename } }', variables: '{ "n": 7 }' };
    const page = await open(link);
    expect([await tabNames(page), await activeTab(page)]).toEqual([[...names, 'Linked'], 'Linked']);
    await editor(page).getByText('Linked').waitFor();
    await page.locator('.graphiql-editor-tool', { hasText: '"n": 7' }).waitFor();
    await open(link, page);
    expect([await tabNames(page), await activeTab(page)]).toEqual([[...names, 'Linked'], 'Linked']);

    await editor(page).click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.insertText('# Edited\n');
    await isStored(page, names.length, '# Edited');
    await reload(page);
    expect(await tabNames(page)).toEqual([...names, 'Linked']);
    await editor(page).getByText('# Edited').waitFor();
  });

  test('selects the operation that its address names', async () => {
    const query = 'query One { one: __typename }\n\nquery Two { two: __typename }';
    const page = await open({ query, operationName: 'Two' });
    expect(await activeTab(page)).toBe('Two');
    await keyInput(page).fill(app.client.key);
    await expect.poll(() => editor(page).locator('.active-line-number').textContent()).toBe('3');
    await editor(page).locator('textarea, .native-edit-context').first().focus();
    await page.keyboard.press('Control+Enter');
    await result(page, '"two": "Query"');
  });

  test('uses a key given once in all tabs, over HTTP and WebSocket, until the browser tab closes', async () => {
    const page = await profile.newPage();
    const elsewhere: string[] = [];
    const refused: string[] = [];
    const addresses: string[] = [];
    page.on('request', (request) => {
      if (/^(data|blob):/.test(request.url())) return;
      addresses.push(request.url());
      if (!request.url().startsWith(app.url)) elsewhere.push(request.url());
    });
    page.on('response', (response) => void (response.status() >= 400 && refused.push(response.url())));
    page.on('websocket', (socket) => void addresses.push(socket.url()));
    await open({}, page);
    await keyInput(page).click();
    await page.keyboard.insertText(app.client.key);
    await runButton(page).click();
    await result(page, 'ADMIN');
    await clickTab(page, 'Run');
    // For about 100 ms after a change of the tab, GraphiQL runs the name of the operation before.
    const create = async () => {
      await runButton(page).click();
      await result(page, 'CreateRunPayload', 3000);
    };
    await vi.waitFor(create, 20_000);

    const { id } = await app.client.ask('say it in the browser');
    const query = `subscription Watch { runEvents(runId: "${id}") { ... on RunStatusChanged { status } } }`;
    await open({ query }, page);
    await runButton(page).click();
    await result(page, 'COMPLETED');
    expect(addresses).toContain(`${app.url.replace('http', 'ws')}/graphql`);
    expect([elsewhere, refused]).toEqual([[], []]);
    await isStored(page, names.length, id);
    expect([page.url(), ...addresses].join()).not.toContain(app.client.key);
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain(app.client.key);
    expect(await keyInput(await open()).inputValue()).toBe('');
  });

  test('prefers the key in the Headers pane and stores it nowhere', async () => {
    const { id } = await app.client.ask('say it in the browser');
    const query = `query Ask { viewer { kind } } subscription Watch { runEvents(runId: "${id}") { ... on RunStatusChanged { status } } }`;
    const page = await open({ query });
    await keyInput(page).fill('ag_wrong');
    await writeHeaders(page, { Authorization: `Bearer ${app.client.key}` });
    for (const [operation, expected] of [
      ['Ask', 'API_KEY'],
      ['Watch', 'COMPLETED'],
    ] as const) {
      await runButton(page).click();
      await page.getByRole('menuitem', { name: operation }).click();
      await result(page, expected);
    }
    const stored = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage]));
    expect(stored).not.toContain(app.client.key);
  });

  test.each([
    ['query', '{ viewer { kind } }'],
    ['subscription', 'subscription { threadEvents(threadId: "thread_1") { __typename } }'],
  ])('shows where to enter the key if a %s is run without one', async (_name, query) => {
    const page = await open({ query });
    expect(await hint(page).isVisible()).toBe(false);
    await runButton(page).click();
    await hint(page).waitFor();
    await result(page, 'UNAUTHENTICATED');
    await expect.poll(() => keyInput(page).evaluate((input) => input === document.activeElement)).toBe(true);
    await page.keyboard.insertText(app.client.key);
    await hint(page).waitFor({ state: 'hidden' });
  });

  test('forgets the keys that earlier versions of the page stored', async () => {
    const page = await open();
    await isStored(page, 0, 'Start');
    await page.evaluate(() => {
      const headers = '{ "authorization": "Bearer ag_old" }';
      const state = JSON.parse(localStorage.getItem('graphiql:tabState') ?? '{}');
      for (const tab of state.tabs) tab.headers = headers;
      localStorage.setItem('graphiql:tabState', JSON.stringify(state));
      localStorage.setItem('graphiql:headers', headers);
    });
    await reload(page);
    expect(await tabNames(page)).toEqual(names);
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('ag_old');
  });

  test('cuts off no line of its presets in a window of 1360 pixels', async () => {
    const page = await open();
    for (const name of names) {
      await clickTab(page, name);
      await editor(page).getByText(name, { exact: true }).waitFor();
      const [longest, columns] = await page.evaluate(() => {
        const monaco = (globalThis as any).__MONACO.editor;
        const shown = monaco.getEditors().find((each: any) => each.getModel().uri.path.endsWith('operation.graphql'));
        const { spaceWidth } = shown.getOption(monaco.EditorOption.fontInfo);
        const lines: string[] = shown.getModel().getLinesContent();
        const { contentWidth } = shown.getLayoutInfo();
        return [Math.max(...lines.map((line) => line.length)), contentWidth / spaceWidth] as const;
      });
      expect(longest, name).toBeLessThanOrEqual(columns);
    }
  });
});
