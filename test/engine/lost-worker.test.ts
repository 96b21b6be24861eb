import { afterEach, expect, test } from 'vitest';
import type { Responder } from '../support/model-server.ts';
import { ServerProcess } from '../support/process.ts';
import { fastTiming } from '../support/timing.ts';
import { useModel } from '../support/use-app.ts';

const model = useModel();
let server: ServerProcess | undefined;
afterEach(async () => {
  await server?.[Symbol.asyncDispose]();
  server = undefined;
});

/** Starts a server; `quarantineMs`: how long a suspect keeps the next one waiting. */
async function start(quarantineMs: number): Promise<ServerProcess> {
  const timing = { run: { ...fastTiming.run, quarantineMs } };
  server = await ServerProcess.prepare({ OPENAI_BASE_URL: model.baseURL, TEST_TIMING: JSON.stringify(timing) });
  await server.start();
  return server;
}

/** Calls `onRequest` with the question of each request. */
function onQuestion(onRequest: (question: string, respond: Responder) => Promise<void>): void {
  model.answers((respond, { messages }) => onRequest(String(messages.at(-1)?.content), respond));
}

const say = async (respond: Responder) => {
  await respond.text('done');
  await respond.end();
};

test('a run that takes its worker down twice ends FAILED; those that were executed beside it complete', async () => {
  const process = await start(60_000);
  const begun = new Set<string>();
  onQuestion(async (question, respond) => {
    begun.add(question);
    await respond.text('half');
  });
  const questions = ['one', 'two', 'poison', 'three', 'four'];
  const runs = new Map<string, string>();
  for (const question of questions) runs.set(question, (await process.client.ask(question)).id);
  await expect.poll(() => begun.size).toBe(questions.length);
  await process.end('SIGKILL');

  // From now on the poison ends the process as soon as its model is called.
  const poisoned = Promise.withResolvers<void>();
  const asked: string[] = [];
  onQuestion(async (question, respond) => {
    asked.push(question);
    if (question !== 'poison') return say(respond);
    await process.end('SIGKILL');
    poisoned.resolve();
  });
  // The process may end before it says that it is ready.
  await process.start().catch(() => {});
  await poisoned.promise;
  await process.start();
  const selection = 'status attempt lastError { code retryable }';
  for (const question of questions) {
    const ended = await process.client.finished(runs.get(question) as string, selection);
    const isPoison = question === 'poison';
    expect(ended, question).toMatchObject(
      isPoison
        ? { status: 'FAILED', lastError: { code: 'worker_lost', retryable: false } }
        : { status: 'COMPLETED', attempt: 2 },
    );
  }
  expect(asked.sort()).toEqual([...questions].sort());
}, 60_000);

test('a suspect that is executed for a while lets the next one in', async () => {
  const process = await start(300);
  const begun: string[] = [];
  onQuestion(async (question, respond) => {
    begun.push(question);
    await respond.text('half');
  });
  for (const question of ['one', 'two', 'three']) await process.client.ask(question);
  await expect.poll(() => begun.length).toBe(3);
  await process.end('SIGKILL');
  begun.length = 0;
  await process.start();
  await expect.poll(() => [...begun].sort(), { timeout: 20_000 }).toEqual(['one', 'three', 'two']);
}, 60_000);

test('runs that a stopping server hands back are not suspects', async () => {
  const process = await start(60_000);
  const begun: string[] = [];
  onQuestion(async (question, respond) => {
    begun.push(question);
    await respond.text('half');
  });
  for (const question of ['one', 'two', 'three']) await process.client.ask(question);
  for (const starts of [3, 6, 9]) {
    await expect.poll(() => begun.length, { timeout: 20_000 }).toBe(starts);
    await process.end('SIGTERM');
    await process.start();
  }
}, 60_000);
