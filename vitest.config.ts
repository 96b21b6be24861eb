import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';

/** What is about clients, or has no database in it, is not run again on another one. */
const withoutDatabase = [
  'test/tools/{sandbox,safe-fetch,python-packages}.test.ts',
  'test/{tool-examples,follow-examples}.test.ts',
  'test/offload/**',
];

// Each file is run in a process of its own, which would compile all packages anew.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('./node_modules/.cache/node', import.meta.url));

export default defineConfig({
  // Node loads graphql's CommonJS files and Vite would load its ES modules: two copies do not know each other's errors.
  resolve: { alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }] },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(process.env.TEST_DATABASE_URL ? withoutDatabase : [])],
    globalSetup: ['test/support/databases.ts'],
    testTimeout: 60_000,
    // On a busy machine a second is not long.
    expect: { poll: { timeout: 10_000 } },
    hookTimeout: 60_000,
    pool: 'forks',
    // Tests of what takes how long want a core of their own.
    maxWorkers: Math.max(2, Math.min(availableParallelism(), 4)),
  },
});
