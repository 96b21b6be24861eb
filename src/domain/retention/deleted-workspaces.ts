import { Prisma } from '../../db/generated/client.ts';
import type { Services } from '../context.ts';
import { deleteUnusedBlobs } from '../file/blob.ts';

/** How many rows one statement deletes: it holds their locks, and the embedded database, for a moment only. */
const batchSize = 1000;

/** What hangs on a workspace and its key, children before their parents, so that no statement cascades far. */
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
 * Deletes what is left of deleted workspaces, some rows at a time, so that nobody waits for it. Serves all workspaces; goes
 * on where it was when it is stopped in the middle.
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
