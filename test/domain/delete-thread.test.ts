import { expect, test } from 'vitest';
import { purgeDeletedThreads } from '../../src/domain/retention/deleted-threads.ts';
import { fastTiming } from '../support/timing.ts';
import { useApp, useModel } from '../support/use-app.ts';

const models = useModel();
// The test purges by itself, so that it sees the time before.
const app = useApp({
  model: models,
  config: { timing: { ...fastTiming, run: { ...fastTiming.run, sweepMs: 1_000_000 } } },
});

const everywhere = `query($ids: [ID!]!, $thread: ID!, $run: ID!, $message: ID!) {
  nodes(ids: $ids) { id } thread(id: $thread) { id } run(id: $run) { id } message(id: $message) { id }
  threads { nodes { id } } runs { nodes { id } } files { nodes { id } } }`;

/** A thread with an answer and, before it, many messages. */
async function longThread(messages: number) {
  models.streams('an answer');
  const { id: runId, thread } = await app.client.ask('first');
  const { messages: answers, steps } = await app.client.finished(
    runId,
    'messages { nodes { id } } steps { nodes { id } }',
  );
  await app.app.services.database.$executeRaw`
    INSERT INTO "Message" ("workspaceId", "id", "threadId", "role", "status", "text", "flags", "position", "completedAt")
    SELECT t."workspaceId", 'message_many' || i, t."id", 'USER', 'COMPLETED', 'text', '{}', 1000 + i, now()
    FROM "Thread" t, generate_series(1, ${messages}::int) i WHERE t."id" = ${thread.id}`;
  return { runId, threadId: thread.id, messageId: answers.nodes[0].id, stepId: steps.nodes[0].id };
}

test('a deleted thread with all its contents is invisible at once, and purged in the background', async () => {
  const { services } = app.app;
  const { runId, threadId, messageId, stepId } = await longThread(2000);
  await app.client.mutate('deleteThread', { id: threadId }, 'deletedId');
  expect(await services.database.message.count({ where: { threadId } })).toBe(2002);
  const ids = [threadId, runId, messageId, stepId, 'message_many7'];
  const seen = await app.client.data(everywhere, { ids, thread: threadId, run: runId, message: messageId });
  const nothing = { nodes: [] };
  expect(seen).toEqual({
    ...{ nodes: [null, null, null, null, null], thread: null, run: null, message: null },
    ...{ threads: nothing, runs: nothing, files: nothing },
  });
  const again = await app.client.mutate('deleteThread', { id: threadId }, 'deletedId');
  expect(again).toMatchObject({ __typename: 'NotFoundError' });
  await purgeDeletedThreads(services, new AbortController().signal);
  for (const table of ['message', 'event', 'run'] as const) {
    const rows = services.database[table] as { count(args: object): Promise<number> };
    expect(await rows.count({ where: { threadId } })).toBe(0);
  }
  expect(await services.database.step.count({ where: { id: stepId } })).toBe(0);
  expect(await services.database.thread.count({ where: { id: threadId } })).toBe(0);
});

test('the subscriptions of a deleted thread end', async () => {
  models.answers(async (respond) => {
    await respond.text('never ends');
    await respond.closed;
  });
  const run = await app.client.ask('go');
  const texts: string[] = [];
  for await (const { status } of app.client.follow(run.id)) {
    texts.push(status);
    if (status === 'IN_PROGRESS') await app.client.mutate('deleteThread', { id: run.thread.id }, 'deletedId');
  }
  expect(texts).toContain('IN_PROGRESS');
});

test('an idempotency key of a deleted thread starts a new run', async () => {
  models.streams('an answer');
  const first = await app.client.ask('once', { idempotencyKey: 'the same' });
  await app.client.finished(first.id);
  await app.client.mutate('deleteThread', { id: first.thread.id }, 'deletedId');
  const second = await app.client.ask('twice', { idempotencyKey: 'the same' });
  expect(second.id).not.toBe(first.id);
  expect((await app.client.finished(second.id)).status).toBe('COMPLETED');
});

test('a fork loses its link to a message when the source is deleted', async () => {
  const { threadId, messageId } = await longThread(0);
  const { thread } = await app.client.mutate('forkThread', { throughMessageId: messageId }, 'thread { id }');
  await app.client.mutate('deleteThread', { id: threadId }, 'deletedId');
  const query = 'query($id: ID!) { thread(id: $id) { forkedFrom { id } messages { nodes { text } } } }';
  const { thread: fork } = await app.client.data(query, { id: thread.id });
  expect(fork).toMatchObject({ forkedFrom: null, messages: { nodes: [{}, {}] } });
});
