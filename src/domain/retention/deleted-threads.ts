import { Prisma } from '../../db/generated/client.ts';
import type { Services } from '../context.ts';

/** The rows that one statement deletes: few, because it blocks the embedded database meanwhile. */
const batchSize = 500;
/** The runs whose steps are deleted before the runs themselves, so that no statement cascades far. */
const runsAtOnce = 20;

/** The tables with rows of a thread, and their keys: children before parents. Runs follow, with their steps. */
const tables = [
  ['Event', '"workspaceId", "threadId", "seq"'],
  ['Message', '"workspaceId", "id"'],
  ['File', '"workspaceId", "id"'],
] as const;

/** A deleted thread. */
interface DeletedThread {
  workspaceId: string;
  id: string;
}

/**
 * Purges the rows of deleted threads in batches. Works on all workspaces. Stops when the signal aborts; the next call
 * continues.
 */
export async function purgeDeletedThreads(services: Services, signal: AbortSignal): Promise<void> {
  const { database } = services;
  const find = () =>
    database.thread.findMany({
      where: { deletedAt: { not: null } },
      orderBy: { deletedAt: 'asc' },
      select: { workspaceId: true, id: true },
      take: 100,
    });
  for (let threads = await find(); threads.length > 0; threads = await find()) {
    for (const thread of threads) {
      await purge(services, thread, signal);
      if (signal.aborted) return;
      await database.thread.deleteMany({ where: { ...thread, deletedAt: { not: null } } });
    }
  }
}

async function purge({ database }: Services, { workspaceId, id }: DeletedThread, signal: AbortSignal): Promise<void> {
  const inBatches = async (table: string, key: string, rows: Prisma.Sql) => {
    for (let count = batchSize; count === batchSize && !signal.aborted; ) {
      count = await database.$executeRaw`
        DELETE FROM ${Prisma.raw(`"${table}"`)} WHERE (${Prisma.raw(key)}) IN (
          SELECT ${Prisma.raw(key)} FROM ${Prisma.raw(`"${table}"`)} WHERE "workspaceId" = ${workspaceId} AND ${rows} LIMIT ${batchSize})`;
    }
  };
  for (const [table, key] of tables) await inBatches(table, key, Prisma.sql`"threadId" = ${id}`);
  for (;;) {
    const found = { where: { workspaceId, threadId: id }, select: { id: true }, take: runsAtOnce };
    const runs = (await database.run.findMany(found)).map((run) => run.id);
    if (runs.length === 0 || signal.aborted) return;
    const ofRuns = Prisma.sql`"runId" = ANY(${runs}::text[])`;
    const steps = Prisma.sql`"stepId" IN (SELECT "id" FROM "Step" WHERE "workspaceId" = ${workspaceId} AND ${ofRuns})`;
    await inBatches('ToolCall', '"workspaceId", "id"', steps);
    await inBatches('Step', '"workspaceId", "id"', ofRuns);
    await inBatches('TextDelta', '"workspaceId", "ownerId", "channel", "offset"', ofRuns);
    if (signal.aborted) return;
    await database.run.deleteMany({ where: { workspaceId, id: { in: runs } } });
  }
}
