import { expect, test } from 'vitest';
import type { Client } from '../support/client.ts';
import { useApp, useModel } from '../support/use-app.ts';

const models = useModel();
const app = useApp({ model: models, environment: { WORKER_CONCURRENCY: '10' } });

/** The questions that the model has received; it answers none before `release`. */
function holdAll() {
  const questions: string[] = [];
  const released = Promise.withResolvers<void>();
  models.answers(async (respond, { messages }) => {
    questions.push(JSON.stringify(messages.at(-1)?.content));
    await released.promise;
    await respond.text('done');
    await respond.end();
  });
  return {
    from: (name: string) => questions.filter((question) => question.includes(name)).length,
    release: () => released.resolve(),
  };
}

const newWorkspace = async (settings: object = {}): Promise<Client> => {
  const { workspace } = await app.client.mutate('createWorkspace', { name: 'Test' }, 'workspace { id }');
  const there = app.in(workspace.id);
  await there.mutate('updateWorkspace', { settings }, 'workspace { id }');
  return there;
};
const asks = (client: Client, name: string, count: number, owner: string | null = name) =>
  Promise.all(
    Array.from({ length: count }, () => client.run({ thread: { owner, messages: [{ text: `from ${name}` }] } })),
  );
const ends = async (client: Client, runs: Array<{ id: string }>) => {
  for (const { status } of await Promise.all(runs.map(({ id }) => client.finished(id)))) {
    expect(status).toBe('COMPLETED');
  }
};

test('an end user with slow runs leaves slots for other users and for other workspaces', async () => {
  const held = holdAll();
  const [one, other] = [await newWorkspace(), await newWorkspace()];
  const many = await asks(one, 'alice', 15);
  await expect.poll(() => held.from('alice')).toBe(6);
  const bobs = await asks(one, 'bob', 1);
  await expect.poll(() => held.from('bob')).toBe(1);
  const carols = await asks(other, 'carol', 1);
  await expect.poll(() => held.from('carol')).toBe(1);
  expect(held.from('alice')).toBe(6);
  held.release();
  await ends(one, [...many, ...bobs]);
  await ends(other, carols);
});

test('an end user leaves some of maxConcurrentRuns for the other users of the workspace', async () => {
  const held = holdAll();
  const there = await newWorkspace({ maxConcurrentRuns: 3 });
  const many = await asks(there, 'alice', 5);
  await expect.poll(() => held.from('alice')).toBe(2);
  const bobs = await asks(there, 'bob', 2);
  await expect.poll(() => held.from('bob')).toBe(1);
  held.release();
  await ends(there, [...many, ...bobs]);
});

test('runs without an end user share only with other workspaces', async () => {
  const held = holdAll();
  const [one, other] = [await newWorkspace(), await newWorkspace()];
  const many = await asks(one, 'program', 12, null);
  await expect.poll(() => held.from('program')).toBe(8);
  const carols = await asks(other, 'carol', 1);
  await expect.poll(() => held.from('carol')).toBe(1);
  held.release();
  await ends(one, many);
  await ends(other, carols);
});

test('a long queue of one thread does not hide the runs of other threads', async () => {
  const held = holdAll();
  const there = await newWorkspace();
  const thread = await there.createThread({ owner: 'alice' });
  const first = await there.run({ threadId: thread.id, messages: [{ text: 'from alice' }] });
  const queued = await Promise.all(Array.from({ length: 4 }, () => there.run({ threadId: thread.id })));
  const elsewhere = await asks(there, 'alice', 1);
  await expect.poll(() => held.from('alice')).toBe(2);
  held.release();
  await ends(there, [first, ...queued, ...elsewhere]);
});
