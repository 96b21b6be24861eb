import { afterAll, beforeAll } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { startTestApp, type TestApp } from './app.ts';
import { ModelServer } from './model-server.ts';

interface Options {
  /** The model server of the app. */
  model?: ModelServer;
  /** The settings of the app; a function is called when the app starts. */
  environment?: Record<string, string> | (() => Promise<Record<string, string>>);
  /** Overrides of the resulting configuration. */
  config?: Partial<Config>;
}

/** A model server for all tests of a file: starts before the hooks that follow, and stops after the last test. */
export function useModel(): ModelServer {
  const model = new ModelServer();
  beforeAll(() => model.listen());
  afterAll(() => model[Symbol.asyncDispose]());
  return model;
}

/** A server for all tests of a file: starts before the hooks that follow, and stops after the last test. */
export function useApp({ model, environment = {}, config }: Options = {}): TestApp {
  let started: TestApp | undefined;
  const current = () => {
    if (!started) throw new Error('The app has not started: use it in tests and hooks.');
    return started;
  };
  beforeAll(async () => {
    const settings = typeof environment === 'function' ? await environment() : environment;
    started = await startTestApp({ ...(model && { OPENAI_BASE_URL: model.baseURL }), ...settings }, config);
  });
  afterAll(() => started?.stop());
  return {
    get app() {
      return current().app;
    },
    get url() {
      return current().url;
    },
    get client() {
      return current().client;
    },
    in: (workspaceId) => current().in(workspaceId),
    statements: (work, counts) => current().statements(work, counts),
    stop: () => current().stop(),
    [Symbol.asyncDispose]: () => current().stop(),
  };
}
