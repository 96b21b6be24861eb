import pg from 'pg';
import { describe, expect, inject, test, vi } from 'vitest';
import { systemContext } from '../../src/domain/context.ts';
import { startTestApp } from '../support/app.ts';
import { copyTemplate } from '../support/databases.ts';
import { ModelServer } from '../support/model-server.ts';

const postgres = inject('postgres');
const secretKey = '0123456789abcdef0123456789abcdef';

describe.runIf(postgres)('a worker that stops', () => {
  test('waits for the takeover that it has begun, and hands the run back', async () => {
    await using model = await ModelServer.start();
    model.answers((respond) => respond.closed);
    const url = await copyTemplate(postgres as NonNullable<typeof postgres>);
    const settings = { DATABASE_URL: url, DATABASE_CONNECTIONS: '4', OPENAI_BASE_URL: model.baseURL };
    // An API process, which takes no runs, and the worker.
    await using api = await startTestApp({ ...settings, ROLE: 'api', SECRET_KEY: secretKey });
    const run = await api.client.ask('Hello');
    const { database } = api.app.services;
    // Another worker executes it.
    const held = {
      status: 'IN_PROGRESS',
      fence: 1,
      startedAt: new Date(),
      leasedUntil: new Date(Date.now() + 3_600_000),
    } as const;
    await database.run.updateMany({ where: { id: run.id }, data: held });
    const worker = await startTestApp({ ...settings, ROLE: 'worker', SECRET_KEY: secretKey });
    // It hands the run back, in a transaction that takes its time.
    const holder = new pg.Client({ connectionString: url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM "Thread" FOR UPDATE');
    await holder.query('UPDATE "Run" SET "leasedUntil" = NULL');
    const { workspaceId } = await database.run.findFirstOrThrow({ where: { id: run.id } });
    const job = { workspaceId, threadId: run.thread.id, runId: run.id, handedBackFor: '' };
    await systemContext(api.app.services, workspaceId).db.$transaction((tx) =>
      api.app.services.queue.enqueueRun(tx, job),
    );
    const waiting = async () =>
      database.$queryRaw<unknown[]>`
        SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await vi.waitUntil(async () => (await waiting()).length > 0, 10_000);
    const stopped = worker.stop();
    await holder.query('COMMIT');
    await holder.end();
    await stopped;
    const { leasedUntil, attempt } = await database.run.findFirstOrThrow({ where: { id: run.id } });
    expect({ leasedUntil, attempt }).toEqual({ leasedUntil: null, attempt: 2 });
  });
});
