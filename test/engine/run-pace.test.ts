import { expect, test } from 'vitest';
import { engineLimits } from '../../src/engine/limits.ts';
import type { Client } from '../support/client.ts';
import { useApp, useModel } from '../support/use-app.ts';

const models = useModel();
const app = useApp({ model: models, environment: { MODEL_STALL_SECONDS: '1' } });

/** The calls of an end user that start without a wait, at most. */
const burst = Math.ceil(engineLimits.userBurstBytes / engineLimits.callBytes);
const asks = (client: Client, owner: string, count: number) =>
  Promise.all(
    Array.from({ length: count }, () => client.run({ thread: { owner, messages: [{ text: `from ${owner}` }] } })),
  );

test('the models of an end user are called at an average rate, and a waiting run can be cancelled', async () => {
  const questions: string[] = [];
  models.answers(async (respond, { messages }) => {
    questions.push(JSON.stringify(messages.at(-1)?.content));
    await respond.text('done');
    await respond.end();
  });
  const calls = (name: string) => questions.filter((question) => question.includes(name)).length;
  const count = 3 * burst;
  const many = await asks(app.client, 'alice', count);
  await expect.poll(() => calls('alice')).toBeGreaterThanOrEqual(burst);
  const [bobs] = await asks(app.client, 'bob', 1);
  expect((await app.client.finished(bobs?.id as string)).status).toBe('COMPLETED');
  expect(calls('alice')).toBeLessThan(count);
  for (const { id } of many) await app.client.mutate('cancelRun', { id }, 'run { id }');
  const statuses = await Promise.all(many.map(async ({ id }) => (await app.client.finished(id)).status));
  expect(new Set(statuses)).toEqual(new Set(['COMPLETED', 'CANCELLED']));
  expect(calls('alice')).toBeLessThan(count);
}, 30_000);

test('an answer that is read slowly because of its end user is not taken for a stalled one', async () => {
  // Together, with what the calls count as, twice what an end user receives without a wait.
  const texts = 10;
  const text = 'x'.repeat(engineLimits.userBurstBytes / 25 / texts);
  models.answers(async (respond) => {
    for (let sent = 0; sent < texts; sent += 1) await respond.text(text);
    await respond.end();
  });
  const runs = await asks(app.client, 'carol', 25);
  const ended = await Promise.all(runs.map(({ id }) => app.client.finished(id, 'status messages { nodes { text } }')));
  for (const { status, messages } of ended) {
    expect(status).toBe('COMPLETED');
    expect(messages.nodes.at(-1).text).toHaveLength(text.length * texts);
  }
}, 30_000);
