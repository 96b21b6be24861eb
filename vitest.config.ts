import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';
import { wasmFlags } from './test/support/wasm-flags.ts';

/** What runs again on PostgreSQL and Redis: the files whose outcome can depend on the database or on the bus. */
const databaseTests = [
  'test/{bus,db,domain,engine}/**/*.test.ts',
  'test/graphql/{connection,crud,statement-count}.test.ts',
  'test/isolation*.test.ts',
  'test/log-contents.test.ts',
  'test/server/{api-key,credential-end,end-user-rights,outage,revocation-load,secret-key,session-token,shutdown}.test.ts',
  'test/tools/file-search*.test.ts',
  'test/files/**/*.test.ts',
];

/** What starts child processes, browsers or interpreters, or runs for tens of seconds: left out of `npm run test:fast`. */
const slow =
  /support\/(process|browser|redis|everything|web-proxy)\.ts|Interpreter|codeInterpreter|node:child_process|lossy-bus/;
const slowTests = () =>
  readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && slow.test(readFileSync(`test/${name}`, 'utf8')))
    .map((name) => `test/${name}`);

// Each file runs in a process of its own, which would compile all packages anew.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('./node_modules/.cache/node', import.meta.url));

export default defineConfig({
  // Node loads graphql's CommonJS files and Vite would load its ES modules: two copies do not know each other's errors.
  resolve: { alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }] },
  test: {
    include: process.env.TEST_DATABASE_URL ? databaseTests : ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(process.env.TEST_FAST ? slowTests() : [])],
    globalSetup: ['test/support/databases.ts'],
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    // On a busy machine a second is not long.
    expect: { poll: { timeout: 10_000 } },
    hookTimeout: 60_000,
    pool: 'forks',
    // A process runs several files and loads the sources once: no file mocks a module or keeps a state in one.
    isolate: false,
    execArgv: wasmFlags,
    // Two files at least at a time: much of a test is waiting for a process or a timer.
    maxWorkers: Math.max(2, Math.min(availableParallelism() + 1, 4)),
  },
});
