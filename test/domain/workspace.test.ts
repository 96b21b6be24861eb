import { expect, test } from 'vitest';
import { all, type Client } from '../support/client.ts';
import { useApp, useModel } from '../support/use-app.ts';

const models = useModel();
const app = useApp({ model: models });

const newWorkspace = async (name: string): Promise<Client> => {
  const { workspace } = await app.client.mutate('createWorkspace', { name }, 'workspace { id }');
  return app.in(workspace.id);
};

/** The number of rows of a workspace in each table. */
async function rowsOf(workspaceId: string): Promise<number[]> {
  const { database: db } = app.app.services;
  const where = { workspaceId };
  return Promise.all([
    db.workspace.count({ where: { id: workspaceId } }),
    ...[db.thread, db.message, db.run, db.step, db.toolCall, db.event, db.textDelta, db.assistant, db.apiKey].map(
      (table) => (table as unknown as { count(args: object): Promise<number> }).count({ where }),
    ),
  ]);
}

test('deleting a workspace hides it immediately, cancels its run and purges its rows in the background', async () => {
  const there = await newWorkspace('To go');
  const id = there.workspaceId as string;
  const { client } = await there.createKey({ scopes: ['THREADS_READ'] });
  for (let index = 0; index < 30; index += 1) await there.createThread({ messages: [{ text: `message ${index}` }] });
  const closed = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  models.answers(async (respond) => {
    await respond.text('I begin');
    begun.resolve();
    await respond.closed;
    closed.resolve();
  });
  await there.ask('a long story');
  await begun.promise;
  expect(await app.client.mutate('deleteWorkspace', { id }, 'deletedId')).toMatchObject({ deletedId: id });
  await closed.promise;
  for (const gone of [there, client]) expect((await gone.send('{ workspace { id } }')).errors).toBeDefined();
  const { workspaces } = await app.client.data('{ workspaces { nodes { id } } }');
  expect(workspaces.nodes).not.toContainEqual({ id });
  expect(await app.client.mutate('deleteWorkspace', { id }, 'deletedId')).toMatchObject({ code: 'NOT_FOUND' });
  await expect.poll(() => rowsOf(id), { timeout: 10_000 }).toEqual(Array(10).fill(0));
});

test('an interrupted purge completes on the next attempt', async () => {
  const { purgeDeletedWorkspaces } = await import('../../src/domain/retention/deleted-workspaces.ts');
  const there = await newWorkspace('Stopped');
  const id = there.workspaceId as string;
  await there.createThread({ messages: [{ text: 'one' }] });
  const { services } = app.app;
  await services.database.workspace.update({ where: { id }, data: { deletedAt: new Date() } });
  const stopped = AbortSignal.abort();
  await purgeDeletedWorkspaces(services, stopped);
  await purgeDeletedWorkspaces(services, new AbortController().signal);
  expect(await rowsOf(id)).toEqual(Array(10).fill(0));
});

test("the default workspace, the request's own workspace and an unknown one cannot be deleted", async () => {
  const there = await newWorkspace('Stays');
  const { workspace } = await app.client.data('{ workspace { id } }');
  const remove = (client: Client, id: string) => client.mutate('deleteWorkspace', { id }, 'deletedId');
  expect(await remove(there, workspace.id)).toMatchObject({ code: 'CONFLICT' });
  expect(await remove(there, there.workspaceId as string)).toMatchObject({ code: 'CONFLICT' });
  for (const id of ['ws_01h455vb4pex5vsknk084sn02q', 'nonsense']) {
    expect(await remove(app.client, id)).toMatchObject({ code: 'NOT_FOUND' });
  }
});

test('other workspaces keep working while one is deleted', async () => {
  models.streams('still here');
  const there = await newWorkspace('Busy');
  const threads = Array.from({ length: 40 }, () => there.createThread({ messages: [{ text: 'x' }, { text: 'y' }] }));
  await Promise.all(threads);
  const [deleted, run] = await Promise.all([
    app.client.mutate('deleteWorkspace', { id: there.workspaceId }, 'deletedId'),
    app.client.ask('are you there?'),
  ]);
  expect(deleted.deletedId).toBe(there.workspaceId);
  expect((await all(app.client.follow(run.id))).at(-1)).toMatchObject({ status: 'COMPLETED' });
});
