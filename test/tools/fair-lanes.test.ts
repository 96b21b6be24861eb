import { Readable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { uploadRead } from '../support/file-search.ts';
import { upload } from '../support/upload.ts';
import { useApp } from '../support/use-app.ts';

const app = useApp();

test('a user whose files take long to read leaves lanes to other users and to other workspaces', async () => {
  const { files, database } = app.app.services;
  const [alice, bob] = [await app.client.as('alice'), await app.client.as('bob')];
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Other' }, 'workspace { id }');
  const stalled: Readable[] = [];
  const read = vi.spyOn(files, 'read').mockImplementation(() => {
    const bytes = new Readable({ read() {} });
    stalled.push(bytes);
    return bytes;
  });
  for (let index = 0; index < 6; index += 1) await upload(alice, `slow ${index}`, `slow${index}.txt`);
  const statuses = async () => {
    const rows = await database.file.groupBy({ by: ['ingestion'], where: { owner: 'alice' }, _count: true });
    return Object.fromEntries(rows.map(({ ingestion, _count }) => [ingestion, _count]));
  };
  await expect.poll(() => stalled.length).toBe(2);
  read.mockRestore();
  expect((await uploadRead(bob, 'quick', 'quick.txt')).ingestion.status).toBe('COMPLETED');
  expect((await uploadRead(app.in(workspace.id), 'quick', 'quick.txt')).ingestion.status).toBe('COMPLETED');
  expect(await statuses()).toEqual({ IN_PROGRESS: 2, QUEUED: 4 });
  for (const bytes of stalled) {
    bytes.push('at last');
    bytes.push(null);
  }
  await expect.poll(statuses).toEqual({ COMPLETED: 6 });
});
