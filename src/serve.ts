import { flushCompileCache } from 'node:module';
import { inspect } from 'node:util';
import { type Config, readConfig, type Secrets } from './config/config.ts';
import { ConfigError } from './config/config-error.ts';

/** The line for a failed start whose reason the operator can fix; null: the error itself is needed. */
async function lineFor(error: unknown): Promise<string | null> {
  const { DataDirInUseError } = await import('./db/lock.ts');
  const { UnknownModelError } = await import('./providers/model-catalog.ts');
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    return 'PORT is in use: stop the process that listens on it, or set PORT to another port.';
  }
  const isKnown = [ConfigError, DataDirInUseError, UnknownModelError].some((known) => error instanceof known);
  return isKnown ? (error as Error).message : null;
}

/**
 * Starts the server, prints a greeting, and stops the server on SIGTERM or SIGINT, within SHUTDOWN_SECONDS: the exit code is 1
 * when a part had to be abandoned. A second signal ends the process immediately. Exits with code 1 and one line on stderr when
 * the start fails. A promise that is rejected without a handler is logged and does not end the server. `read`: reads the configuration.
 */
export async function serve(read: () => { config: Config; secrets: Secrets } = readConfig): Promise<void> {
  try {
    const { config, secrets } = read();
    // The settings are checked first: the rest of the code takes seconds to load.
    const { startApp } = await import('./app.ts');
    const { greeting } = await import('./greeting.ts');
    const app = await startApp(config, secrets);
    // The last net: each promise has a handler of its own, and one without is a defect. It must not end all runs.
    process.on('unhandledRejection', (error) => {
      app.services.log.error({ err: error }, 'defect: a rejected promise has no handler');
    });
    // A killed process would not write its compile cache.
    setImmediate(flushCompileCache);
    let isStopping = false;
    const stop = async () => {
      if (isStopping) process.exit(1);
      isStopping = true;
      const abandoned = await app.stop();
      process.exit(abandoned.length > 0 ? 1 : 0);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    // Last: a reader of the greeting can send a signal at once.
    console.log(greeting(app, config, secrets));
  } catch (error) {
    const { errorRecord } = await import('./error-record.ts');
    console.error((await lineFor(error)) ?? inspect(errorRecord(error), { depth: null }));
    process.exit(1);
  }
}
