import { readFile } from 'node:fs/promises';
import { inject } from 'vitest';
import { type App, startApp } from '../../src/app.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { Client } from './client.ts';
import { copyTemplate } from './databases.ts';

/** A server under test: real HTTP on a free port, on a fresh database. */
export interface TestApp extends AsyncDisposable {
  readonly app: App;
  readonly url: string;
  /** Acts with the first key. */
  readonly client: Client;
  /** Acts with the first key in another workspace. */
  in(workspaceId: string): Client;
  stop(): Promise<void>;
}

/** Starts a server. `environment`: what would stand in its environment; `config`: what goes before that. */
export async function startTestApp(environment: Record<string, string> = {}, config: Partial<Config> = {}): Promise<TestApp> {
  const postgres = inject('postgres');
  const settings = readConfig({
    PORT: '0',
    DEMO_DELAY_MS: '0',
    ...(postgres ? { DATABASE_URL: await copyTemplate(postgres) } : {}),
    ...environment,
  });
  const snapshot = postgres ? undefined : new Blob([await readFile(inject('snapshotPath'))]);
  const overrides = { inMemory: true, snapshot, log: createLog(process.env.TEST_LOG ?? 'silent') };
  const app = await startApp({ ...settings.config, ...config }, settings.secrets, overrides);
  const url = app.url as string;
  return {
    app,
    url,
    client: new Client(url, app.adminKey),
    in: (workspaceId) => new Client(url, app.adminKey, workspaceId),
    stop: () => app.stop(),
    [Symbol.asyncDispose]: () => app.stop(),
  };
}
