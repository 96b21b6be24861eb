// Runs before `npm start`. Checks what src/main.ts cannot check itself, because it does not load without it.
import { existsSync } from 'node:fs';

const oldest = 24;
const fail = (message) => {
  console.error(message);
  process.exit(1);
};

if (Number(process.versions.node.split('.')[0]) < oldest) {
  const help = '`npm install` without --omit=dev installs one for this folder.';
  fail(`assistant-graph needs Node.js ${oldest} or newer; this is ${process.version}. ${help}`);
}
if (!existsSync(new URL('../src/db/generated/client.ts', import.meta.url))) {
  fail('The database client is missing. Run: npm run generate');
}
