import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// The entry: checks the version of Node.js, and starts the server with the settings of the environment.
const oldest = 24;
if (Number(process.versions.node.split('.')[0]) < oldest) {
  console.error(
    `assistant-graph needs Node.js ${oldest} or newer; this is ${process.version}. "npm start" brings its own.`,
  );
  process.exit(1);
}

// Compiled code is kept between starts, which halves the time of a start. Without write access nothing is kept.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url)));

const { serve } = await import('./serve.ts');
await serve();
