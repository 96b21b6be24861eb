import { readFile } from 'node:fs/promises';
import { inject } from 'vitest';
import { type App, type Overrides, startApp } from '../../src/app.ts';
import { type Config, readConfig } from '../../src/config/config.ts';
import { createLog } from '../../src/log.ts';
import { Client } from './client.ts';
import { storageEnvironment } from './databases.ts';
import { fastTiming } from './timing.ts';

/** A server under test: real HTTP on a free port, on a fresh database. */
export interface TestApp extends AsyncDisposable {
  readonly app: App;
  readonly url: string;
  /** Acts with the admin key. */
  readonly client: Client;
  /**
   * The statements that the database receives while `work` is done, but for those of the queue. It is done until two
   * times in a row take the same: what the worker looks for now and then does not count. `counts`: those that are meant.
   */
  statements(work: () => Promise<unknown>, counts?: (sql: string) => boolean): Promise<string[]>;
  /** Acts with the admin key in another workspace. */
  in(workspaceId: string): Client;
  stop(): Promise<void>;
}

/** Starts a server. `environment`: what would stand in its environment; `config`: what goes before that; `more`: parts of the test's own. */
export async function startTestApp(
  environment: Record<string, string> = {},
  config: Partial<Config> = {},
  more: Pick<Overrides, 'wrapBus'> = {},
): Promise<TestApp> {
  const postgres = inject('postgres');
  const settings = readConfig({
    PORT: '0',
    DEMO_DELAY_MS: '0',
    PYTHON_READY: '0',
    ...(await storageEnvironment()),
    ...environment,
  });
  const snapshot = postgres ? undefined : new Blob([await readFile(inject('snapshotPath'))]);
  let heard: string[] | null = null;
  const onStatement = (sql: string) => void heard?.push(sql);
  const overrides = {
    ...more,
    inMemory: true,
    snapshot,
    onStatement,
    log: createLog(process.env.TEST_LOG ?? 'silent'),
  };
  const app = await startApp({ ...settings.config, timing: fastTiming, ...config }, settings.secrets, overrides);
  const url = app.url as string;
  const key = app.adminKey as string;
  return {
    app,
    url,
    client: new Client(url, key),
    in: (workspaceId) => new Client(url, key, workspaceId),
    statements: async (work, counts = () => true) => {
      for (let before = ''; ; ) {
        const mine: string[] = [];
        heard = mine;
        await work();
        heard = null;
        const meant = mine.filter(counts);
        const now = JSON.stringify(meant);
        if (now === before) return meant;
        before = now;
      }
    },
    stop: () => app.stop(),
    [Symbol.asyncDispose]: () => app.stop(),
  };
}
