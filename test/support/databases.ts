import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { openPglite } from '../../src/db/pglite.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { createLog } from '../../src/log.ts';
import { BossQueue } from '../../src/queue/pg-boss.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A dump of a migrated embedded database; empty when the suite runs on a PostgreSQL server. */
    snapshotPath: string;
    /** A data folder with a migrated embedded database; empty when the suite runs on a PostgreSQL server. */
    templateFolder: string;
    /** The PostgreSQL server to run on, and the migrated database to copy; null for the embedded one. */
    postgres: { url: string; template: string } | null;
    /** The URL of the Redis for the bus of servers under test, or null. */
    redis: string | null;
  }
}

/**
 * Creates the migrated database that all test files start from: a dump of PGlite, or a template on TEST_DATABASE_URL. With
 * TEST_REDIS_URL, servers under test use that Redis as their bus.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const url = process.env.TEST_DATABASE_URL;
  project.provide('redis', process.env.TEST_REDIS_URL || null);
  return url ? makeTemplate(project, url) : makeSnapshot(project);
}

async function makeSnapshot(project: TestProject) {
  const { pglite, close } = await openPglite({});
  const queue = await BossQueue.open({ pglite }, createLog('silent'));
  await queue.close();
  const dump = await pglite.dumpDataDir('none');
  await close();
  const folder = await mkdtemp(join(tmpdir(), 'assistant-graph-'));
  const snapshotPath = join(folder, 'migrated.tar');
  await writeFile(snapshotPath, Buffer.from(await dump.arrayBuffer()));
  const templateFolder = join(folder, 'data');
  const onDisk = await openPglite({ dataDir: templateFolder });
  await (await BossQueue.open({ pglite: onDisk.pglite }, createLog('silent'))).close();
  await onDisk.close();
  project.provide('snapshotPath', snapshotPath);
  project.provide('templateFolder', templateFolder);
  project.provide('postgres', null);
  return () => rm(folder, { recursive: true });
}

async function makeTemplate(project: TestProject, url: string) {
  const template = `assistant_graph_test_${randomBytes(4).toString('hex')}`;
  const server = new pg.Client({ connectionString: url });
  await server.connect();
  await server.query(`CREATE DATABASE ${template}`);
  const templateUrl = withDatabase(url, template);
  const { close } = await openPostgres({ url: templateUrl, connections: 4 }, () => {});
  const queue = await BossQueue.open({ url: templateUrl }, createLog('silent'));
  await queue.close();
  await close();
  project.provide('snapshotPath', '');
  project.provide('templateFolder', '');
  project.provide('postgres', { url, template });
  return async () => {
    const { rows } = await server.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE datname LIKE '${template}%'`,
    );
    for (const { name } of rows) await server.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await server.end();
  };
}

/** The URL with another database name. */
export function withDatabase(url: string, database: string): string {
  const address = new URL(url);
  address.pathname = `/${database}`;
  return address.href;
}

/** Copies the template for one test server; returns the URL of the copy. */
export async function copyTemplate({ url, template }: { url: string; template: string }): Promise<string> {
  const copy = `${template}_${randomBytes(4).toString('hex')}`;
  const server = new pg.Client({ connectionString: url });
  await server.connect();
  await server.query(`CREATE DATABASE ${copy} TEMPLATE ${template}`);
  await server.end();
  return withDatabase(url, copy);
}

/** The storage settings of a server under test: a copy of the template and the Redis, if there are any. */
export async function storageEnvironment(): Promise<Record<string, string>> {
  const postgres = inject('postgres');
  const redis = inject('redis');
  return {
    // Many servers under test share the connections of the database server.
    ...(postgres ? { DATABASE_URL: await copyTemplate(postgres), DATABASE_CONNECTIONS: '8' } : {}),
    ...(redis ? { REDIS_URL: redis } : {}),
  };
}
