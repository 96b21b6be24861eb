import { Prisma } from '../../db/generated/client.ts';
import type { Services } from '../context.ts';
import { deleteUnusedBlobs } from '../file/blob.ts';

/** The rows that one statement deletes: few, because it blocks the embedded database meanwhile. */
const batchSize = 1000;

/** The tables of a workspace with their primary keys, children before parents, so that no statement cascades far. */
const tables = [
  ['TextDelta', ['workspaceId', 'ownerId', 'channel', 'offset']],
  ['Event', ['workspaceId', 'threadId', 'seq']],
  ['Passage', ['workspaceId', 'fileId', 'index']],
  ['FileTerm', ['workspaceId', 'fileId', 'term']],
  ['File', ['workspaceId', 'id']],
  ['ToolCall', ['workspaceId', 'id']],
  ['Step', ['workspaceId', 'id']],
  ['Message', ['workspaceId', 'id']],
  ['Run', ['workspaceId', 'id']],
  ['Thread', ['workspaceId', 'id']],
  ['Assistant', ['workspaceId', 'id']],
  ['Plugin', ['workspaceId', 'id']],
  ['ApiKeyWorkspace', ['workspaceId', 'homeWorkspaceId', 'keyId']],
  ['ApiKey', ['workspaceId', 'id']],
] as const;

const quoted = (names: readonly string[]) => Prisma.raw(names.map((name) => `"${name}"`).join(', '));

/**
 * Purges the data of deleted workspaces in batches. Works on all workspaces. Stops when the signal aborts; the next call
 * continues.
 */
export async function purgeDeletedWorkspaces(services: Services, signal: AbortSignal): Promise<void> {
  const { database } = services;
  const workspaces = await database.workspace.findMany({ where: { deletedAt: { not: null } }, select: { id: true } });
  for (const { id } of workspaces) {
    for (const [table, key] of tables) {
      for (let count = batchSize; count === batchSize; ) {
        if (signal.aborted) return;
        count = await database.$executeRaw`
          DELETE FROM ${quoted([table])} WHERE (${quoted(key)}) IN (
            SELECT ${quoted(key)} FROM ${quoted([table])} WHERE "workspaceId" = ${id} LIMIT ${batchSize})`;
      }
    }
    await deleteUnusedBlobs(services, signal, id);
    if ((await database.blob.count({ where: { workspaceId: id } })) > 0) continue;
    await database.workspace.deleteMany({ where: { id, deletedAt: { not: null } } });
  }
}
