import { enableCompileCache, flushCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// The entry: reads the configuration, starts the server, says where it is, and stops it when a signal asks.
const oldest = 24;
if (Number(process.versions.node.split('.')[0]) < oldest) {
  console.error(
    `assistant-graph needs Node.js ${oldest} or newer; this is ${process.version}. "npm start" brings its own.`,
  );
  process.exit(1);
}

// What has been compiled once need not be again: a start takes half the time. Where that cannot be kept, it takes all of it.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url)));

const { ConfigError, readConfig } = await import('./config.ts');
const { DataDirInUseError } = await import('./db/lock.ts');
const { UnknownModelError } = await import('./providers/model-catalog.ts');

try {
  const { config, secrets } = readConfig();
  // All the rest, which takes a while: not before the settings are found to be good.
  const { startApp } = await import('./app.ts');
  const { greeting } = await import('./greeting.ts');
  const app = await startApp(config, secrets);
  console.log(greeting(app, config, secrets));
  // Who is killed keeps nothing at its end.
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
  const isSettled = [ConfigError, DataDirInUseError, UnknownModelError].some((known) => error instanceof known);
  const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
  if (inUse) console.error('PORT is in use: stop what listens there, or set PORT to another.');
  else console.error(isSettled ? (error as Error).message : error);
  process.exit(1);
}
