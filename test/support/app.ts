import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe } from 'node:diagnostics_channel';
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { inject } from 'vitest';
import { type App, type Overrides, startApp } from '../../src/app.ts';
import { type Config, readConfig } from '../../src/config/config.ts';
import { isUnavailable } from '../../src/db/unavailable.ts';
import { createLog } from '../../src/log.ts';
import { Client } from './client.ts';
import { storageEnvironment } from './databases.ts';
import { fastTiming } from './timing.ts';

/** A server under test: real HTTP on a free port, on a fresh database. */
export interface TestApp extends AsyncDisposable {
  readonly app: App;
  readonly url: string;
  /** A client with the admin key. */
  readonly client: Client;
  /**
   * The statements that the HTTP requests of `work` issue; background work does not count. `work` is repeated until it
   * issues the same statements twice in a row, because caches expire. `counts`: only the statements that fit.
   */
  statements(work: () => Promise<unknown>, counts?: (sql: string) => boolean): Promise<string[]>;
  /** A client with the admin key in another workspace. */
  in(workspaceId: string): Client;
  stop(): Promise<void>;
}

/** The statements of the requests that start now; null while no test counts them. */
let recording: string[] | null = null;
/** Inside a request: the recording that was current when it started. */
const recordingOfRequest = new AsyncLocalStorage<string[] | null>();
subscribe('http.server.request.start', () => recordingOfRequest.enterWith(recording));

async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  const statements: string[] = [];
  recording = statements;
  try {
    await work();
  } finally {
    recording = null;
  }
  return [...statements];
}

/** Starts a server. `environment`: its settings; `config`: overrides of the resulting configuration; `more`: replaced parts. */
export async function startTestApp(
  environment: Record<string, string> = {},
  config: Partial<Config> = {},
  more: Pick<Overrides, 'wrapBus' | 'log'> = {},
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
  const onStatement = (sql: string) => void recordingOfRequest.getStore()?.push(sql);
  const overrides = {
    inMemory: true,
    snapshot,
    onStatement,
    log: createLog(process.env.TEST_LOG ?? 'silent', isUnavailable),
    ...more,
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
      for (let before: string[] | null = null; ; ) {
        const statements = (await statementsOf(work)).filter(counts);
        if (isDeepStrictEqual(statements, before)) return statements;
        before = statements;
      }
    },
    stop: async () => void (await app.stop()),
    [Symbol.asyncDispose]: async () => void (await app.stop()),
  };
}
