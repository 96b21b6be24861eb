import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { dropEmptyVariables } from './config/environment.ts';

// The entry point: checks the version of Node.js and starts the server.
const oldest = 24;
if (Number(process.versions.node.split('.')[0]) < oldest) {
  console.error(
    `assistant-graph needs Node.js ${oldest} or newer; this is ${process.version}. "npm start" uses the one that npm installed.`,
  );
  process.exit(1);
}

// A compile cache halves the time of the next start. Without write access there is none.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url)));

dropEmptyVariables();
const { serve } = await import('./serve.ts');
await serve();
