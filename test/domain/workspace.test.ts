import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.ts';
import { all, type Client } from '../support/client.ts';
import { ModelServer } from '../support/model-server.ts';

let app: TestApp;
let models: ModelServer;
beforeAll(async () => {
  models = await ModelServer.start();
  app = await startTestApp({ OPENAI_BASE_URL: models.baseURL });
});
afterAll(async () => {
  await app.stop();
  await models[Symbol.asyncDispose]();
});

const newWorkspace = async (name: string): Promise<Client> => {
  const { workspace } = await app.client.mutate('createWorkspace', { name }, 'workspace { id }');
  return app.in(workspace.id);
};

/** How many rows of each table are a workspace's. */
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

test('a workspace is deleted at once for everybody, its run is cancelled, and its rows go without anybody waiting', async () => {
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

test('what is deleted bit by bit goes on where it was when it is stopped in the middle', async () => {
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

test('the default workspace, the one that the request acts in, and one that is not there are not deleted', async () => {
  const there = await newWorkspace('Stays');
  const { workspace } = await app.client.data('{ workspace { id } }');
  const remove = (client: Client, id: string) => client.mutate('deleteWorkspace', { id }, 'deletedId');
  expect(await remove(there, workspace.id)).toMatchObject({ code: 'CONFLICT' });
  expect(await remove(there, there.workspaceId as string)).toMatchObject({ code: 'CONFLICT' });
  for (const id of ['ws_01h455vb4pex5vsknk084sn02q', 'nonsense']) {
    expect(await remove(app.client, id)).toMatchObject({ code: 'NOT_FOUND' });
  }
});

test('others go on while a workspace is deleted', async () => {
  models.says('still here');
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
