// npm run embedded-size [runs]: the size of the embedded database while answers are written and threads deleted.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApp } from '../src/app.ts';
import { readConfig } from '../src/config/config.ts';
import { defaultTiming } from '../src/config/timing.ts';
import { Client } from '../test/support/client.ts';

const runs = Number(process.argv[2] ?? 10_000);
const rounds = 10;
const atOnce = 10;
const dataDir = await mkdtemp(join(tmpdir(), 'assistant-graph-bench-'));
const { config, secrets } = readConfig({
  ...{ DATA_DIR: dataDir, PORT: '0', DEMO_DELAY_MS: '1', PYTHON_READY: '0', LOG_LEVEL: 'error' },
});
// The intervals are shorter in proportion: the benchmark has no idle nights.
const timing = { ...defaultTiming, chore: { ...defaultTiming.chore, vacuumMs: 1000 } };
const app = await startApp({ ...config, timing }, secrets);
const client = new Client(app.url as string, app.adminKey as string);
const { database } = app.services;

async function megabytes(): Promise<string> {
  const [row] = await database.$queryRaw<[{ bytes: number }]>`
    SELECT pg_database_size(current_database())::float8 AS "bytes"`;
  return (row.bytes / 1e6).toFixed(1);
}

/** Repeats a request whose idle connection the server closed while both shared one busy event loop. */
async function patiently<T>(request: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }
}

async function untilPurged(): Promise<void> {
  while ((await database.thread.count()) > 0) await new Promise((resolve) => setTimeout(resolve, 500));
  await new Promise((resolve) => setTimeout(resolve, 3 * timing.chore.vacuumMs));
}

console.log(`empty: ${await megabytes()} MB`);
for (let round = 1; round <= rounds; round += 1) {
  const threads: string[] = [];
  for (let done = 0; done < runs / rounds; done += atOnce) {
    const batch = Array.from({ length: atOnce }, async () => {
      const run = await patiently(() => client.ask('Tell me about the size of a database.'));
      await patiently(() => client.finished(run.id));
      threads.push(run.thread.id);
    });
    await Promise.all(batch);
  }
  const full = await megabytes();
  for (const id of threads) await patiently(() => client.mutate('deleteThread', { id }, 'deletedId'));
  await untilPurged();
  console.log(
    `${(round * runs) / rounds} answers: ${full} MB, after the deletion of all threads ${await megabytes()} MB`,
  );
}
await app.stop();
await rm(dataDir, { recursive: true });
