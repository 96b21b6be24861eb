import { beforeAll, expect, test } from 'vitest';
import { ServerProcess } from '../support/process.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });
const megabyte = 'x'.repeat(1_000_000);
const reasons = 'status incompleteReason lastError { code }';

/** What the model sends, by the question. */
beforeAll(() => {
  model.answers(async (respond, { messages }) => {
    const question = String(messages.at(-1)?.content);
    if (question === 'endless') await respond.endless(() => respond.text(megabyte.slice(0, 100_000)));
    else if (question === 'one line') {
      await respond.raw('data: ');
      for (let sent = 0; sent < 50 && !respond.response.destroyed; sent += 1) await respond.raw(megabyte);
    } else if (question === 'error') {
      respond.response.writeHead(400, { 'content-type': 'application/json' });
      for (let sent = 0; sent < 200 && !respond.response.destroyed; sent += 1) await respond.raw(megabyte);
    } else {
      await respond.text('Fine.');
      await respond.end();
    }
  });
});

test('what a model sends without an end does not grow the process, nor stop the other runs', async () => {
  await using server = await ServerProcess.prepare({ OPENAI_BASE_URL: model.baseURL });
  await server.start();
  const { client } = server;
  await client.finished((await client.ask('hello')).id);
  const before = await server.peakRss();
  const ask = async (question: string) => client.finished((await client.ask(question)).id, reasons);
  const questions = ['endless', 'one line', 'error', ...Array.from({ length: 10 }, () => 'endless'), 'hello'];
  const [endless, line, error, ...others] = await Promise.all(questions.map(ask));
  expect(endless).toMatchObject({ status: 'INCOMPLETE', incompleteReason: 'ANSWER_TOO_LONG' });
  expect(line).toMatchObject({ status: 'FAILED', lastError: { code: 'response_too_large' } });
  expect(error).toMatchObject({ status: 'FAILED', lastError: { code: 'invalid_request' } });
  expect(others.at(-1)).toMatchObject({ status: 'COMPLETED' });
  expect((await server.peakRss()) - before).toBeLessThan(200_000_000);

  await client.ask('endless');
  await server.end('SIGKILL');
  await server.start();
  expect(await server.client.finished((await server.client.ask('hello')).id)).toMatchObject({ status: 'COMPLETED' });
}, 60_000);

test('a run with 300 MB of deltas from a time without a limit is taken over, and its text is cut', async () => {
  const { database } = app.app.services;
  const held = Promise.withResolvers<void>();
  model.answers(
    async (respond) => {
      await respond.text('x');
      held.resolve();
      await respond.closed;
    },
    async (respond) => {
      await respond.text('Fine.');
      await respond.end();
    },
  );
  const { id } = await app.client.ask('old');
  await held.promise;
  await expect.poll(() => database.textDelta.count({ where: { runId: id } })).toBe(1);
  await database.$executeRaw`
    INSERT INTO "TextDelta" ("workspaceId", "runId", "ownerId", "channel", "offset", "text")
    SELECT d."workspaceId", d."runId", d."ownerId", d."channel", 1 + n * 1000000, repeat('y', 1000000)
    FROM "TextDelta" d, generate_series(0, 299) AS n WHERE d."runId" = ${id}`;
  await database.run.updateMany({ where: { id }, data: { leasedUntil: new Date(0), fence: { increment: 1 } } });
  const run = await app.client.finished(id, 'status attempt');
  expect(run).toMatchObject({ status: 'COMPLETED', attempt: 2 });
  const messages = await database.message.findMany({ where: { runId: id }, orderBy: { position: 'asc' } });
  expect(messages.map(({ text }) => text.length)).toEqual([16_000_000, 5]);
}, 60_000);
