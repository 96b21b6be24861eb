import { flushCompileCache } from 'node:module';
import { type Config, ConfigError, readConfig, type Secrets } from './config/config.ts';

/** How a start fails for a reason that the operator can mend: one line on stderr, without a stack. */
async function lineFor(error: unknown): Promise<string | null> {
  const { DataDirInUseError } = await import('./db/lock.ts');
  const { UnknownModelError } = await import('./providers/model-catalog.ts');
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    return 'PORT is in use: stop the process that listens there, or set PORT to another.';
  }
  const isKnown = [ConfigError, DataDirInUseError, UnknownModelError].some((known) => error instanceof known);
  return isKnown ? (error as Error).message : null;
}

/**
 * Starts the server, prints where it listens, and stops it on SIGTERM or SIGINT; a second signal ends the process at
 * once. Ends the process with code 1 and one line on stderr when the start fails. `read`: the configuration to start with.
 */
export async function serve(read: () => { config: Config; secrets: Secrets } = readConfig): Promise<void> {
  try {
    const { config, secrets } = read();
    // The rest of the code takes seconds to load: settings are checked first.
    const { startApp } = await import('./app.ts');
    const { greeting } = await import('./greeting.ts');
    const app = await startApp(config, secrets);
    console.log(greeting(app, config, secrets));
    // A killed process writes nothing at its end.
    setImmediate(flushCompileCache);
    let isStopping = false;
    const stop = async () => {
      if (isStopping) process.exit(1);
      isStopping = true;
      await app.stop();
      process.exit(0);
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
  } catch (error) {
    console.error((await lineFor(error)) ?? error);
    process.exit(1);
  }
}
