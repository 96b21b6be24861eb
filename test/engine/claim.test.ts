import { expect, test } from 'vitest';
import { claimQueuedRuns } from '../../src/domain/run/claim.ts';
import type { Client } from '../support/client.ts';
import { useApp, useModel } from '../support/use-app.ts';

const models = useModel();
const app = useApp({ model: models, environment: { WORKER_CONCURRENCY: '6' } });
/** Answers that the model holds back, named by their question. */
let held: Array<{ question: string; release: () => void }>;

function holdAll(): void {
  held = [];
  models.answers(async (respond, { messages }) => {
    const { content } = messages.at(-1) as { content: string | Array<{ text: string }> };
    const question = typeof content === 'string' ? content : (content[0]?.text ?? '');
    const going = Promise.withResolvers<void>();
    held.push({ question, release: going.resolve });
    await going.promise;
    await respond.text('done');
    await respond.end();
  });
}

const questions = () => held.map(({ question }) => question).sort();
const newWorkspace = async (settings: object = {}): Promise<Client> => {
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Test' }, 'workspace { id }');
  const there = app.in(workspace.id);
  await there.mutate('updateWorkspace', { settings }, 'workspace { id }');
  return there;
};
const finishAll = async (client: Client, ids: string[]) => {
  const ended = Promise.all(ids.map((id) => client.finished(id)));
  const timer = setInterval(() => {
    for (const { release } of held) release();
  }, 10);
  for (const { status } of await ended) expect(status).toBe('COMPLETED');
  clearInterval(timer);
};

test('a busy workspace leaves a slot for others, and does not starve them', async () => {
  holdAll();
  const [busy, quiet] = [await newWorkspace(), await newWorkspace()];
  const many = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((text) => busy.ask(text)));
  await expect.poll(() => held.length).toBe(4);
  const one = await quiet.ask('quiet');
  await expect.poll(questions).toContain('quiet');
  expect(held.length).toBe(5);
  const two = await quiet.ask('quieter');
  held[0]?.release();
  // Two runs of the busy workspace have waited longer, but the quiet workspace has fewer active runs and goes first.
  await expect.poll(questions).toContain('quieter');
  expect(held.length).toBe(6);
  await finishAll(quiet, [one.id, two.id]);
  await finishAll(
    busy,
    many.map(({ id }) => id),
  );
});

test('a workspace executes at most maxConcurrentRuns, and others continue', async () => {
  holdAll();
  const limited = await newWorkspace({ maxConcurrentRuns: 1 });
  const other = await newWorkspace();
  const runs = await Promise.all(['1', '2', '3'].map((text) => limited.ask(text)));
  const free = await other.ask('free');
  await expect.poll(questions).toContain('free');
  const { run } = await other.data('query($id: ID!) { run(id: $id) { status } }', { id: free.id });
  expect(run.status).toBe('IN_PROGRESS');
  const statuses = await Promise.all(
    runs.map(async ({ id }) => (await limited.data('query($id: ID!) { run(id: $id) { status } }', { id })).run.status),
  );
  expect(statuses.sort()).toEqual(['IN_PROGRESS', 'QUEUED', 'QUEUED']);
  await finishAll(other, [free.id]);
  await finishAll(
    limited,
    runs.map(({ id }) => id),
  );
});

test("a run that exceeds its workspace's time limit ends EXPIRED and keeps its text", async () => {
  const there = await newWorkspace({ maxRunSeconds: 1 });
  const closed = Promise.withResolvers<void>();
  models.answers(async (respond) => {
    await respond.text('I begin and never');
    await respond.closed;
    closed.resolve();
  });
  const { id } = await there.ask('hurry');
  const ended = await there.finished(id, 'status messages { nodes { text status incompleteReason } }');
  expect(ended).toMatchObject({
    status: 'EXPIRED',
    messages: { nodes: [{ text: 'I begin and never', status: 'INCOMPLETE', incompleteReason: 'RUN_EXPIRED' }] },
  });
  await closed.promise;
});

test('a run that lost two workers ends FAILED, and its thread continues', async () => {
  models.streams('done');
  const { database } = app.app.services;
  const thread = await app.client.createThread();
  models.answers(async (respond) => {
    await respond.text('half');
    await respond.closed;
  });
  const { id } = await app.client.run({ threadId: thread.id, messages: [{ text: 'poison' }] });
  await expect.poll(() => models.requests.length).toBe(1);
  // The state after a second kill: the fence is ahead, so this worker abandons the run.
  const gone = { leasedUntil: new Date(0), losses: 1, fence: { increment: 1 } };
  await database.run.updateMany({ where: { id }, data: gone });
  models.streams('fine');
  const next = await app.client.run({ threadId: thread.id, messages: [{ text: 'next' }] });
  const failed = await app.client.finished(id, 'status lastError { code retryable }');
  expect(failed).toMatchObject({ status: 'FAILED', lastError: { code: 'worker_lost', retryable: false } });
  expect((await app.client.finished(next.id)).status).toBe('COMPLETED');
});

test('a claim does not fail when a newer instance has added a column', async () => {
  const { services } = app.app;
  // Prepares the statement on every connection.
  const slots = { total: 0, free: 0, holders: [] };
  const claimOnAll = () => Promise.all(Array.from({ length: 8 }, () => claimQueuedRuns(services, 0, slots)));
  await claimOnAll();
  await services.database.$executeRaw`ALTER TABLE "Run" ADD COLUMN "later" text`;
  await claimOnAll();
  await services.database.$executeRaw`ALTER TABLE "Run" DROP COLUMN "later"`;
});
