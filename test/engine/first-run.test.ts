import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startTestApp } from '../support/app.ts';
import { all, joined, shape, until } from '../support/client.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });

test("a run streams the model's text and ends with the complete message", async () => {
  model.streams('Hello', ' wor', 'ld');
  const run = await app.client.ask('Greet me');
  const events = await all(app.client.follow(run.id));
  expect(shape(events)).toEqual([
    'QUEUED',
    'IN_PROGRESS',
    'StepStarted',
    'MessageStarted',
    'MessageDelta',
    'MessageEnded',
    'StepEnded',
    'COMPLETED',
  ]);
  expect(joined(events)).toBe('Hello world');
});

test('a finished run has usage, times and steps', async () => {
  model.streams('Done');
  const run = await app.client.ask('Work');
  const finished = await app.client.finished(
    run.id,
    `status attempt startedAt firstTokenAt endedAt cost usage { promptTokens completionTokens totalTokens }
     steps { nodes { index type status usage { totalTokens } message { text status position } } }`,
  );
  expect(finished).toMatchObject({
    status: 'COMPLETED',
    attempt: 1,
    cost: null,
    usage: { promptTokens: 7, completionTokens: 5, totalTokens: 12 },
    steps: {
      nodes: [
        {
          index: 0,
          type: 'MESSAGE_CREATION',
          status: 'COMPLETED',
          usage: { totalTokens: 12 },
          message: { text: 'Done', status: 'COMPLETED', position: 2 },
        },
      ],
    },
  });
  expect(finished.firstTokenAt >= finished.startedAt && finished.endedAt >= finished.firstTokenAt).toBe(true);
});

test("a run's cost follows the model catalog, to ten decimal places", async () => {
  const folder = await mkdtemp(join(tmpdir(), 'assistant-graph-catalog-'));
  const catalog = join(folder, 'models.json');
  const price = { inputPricePerMillion: '0.4', cachedInputPricePerMillion: '0.1', outputPricePerMillion: '1.2' };
  await writeFile(catalog, JSON.stringify({ 'openai/priced': price }));
  await using priced = await startTestApp({ OPENAI_BASE_URL: model.baseURL, MODEL_CATALOG: catalog });
  model.answers(async (respond) => {
    await respond.text('Dear');
    await respond.end('stop', {
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 15,
      prompt_tokens_details: { cached_tokens: 4 },
      completion_tokens_details: { reasoning_tokens: 2 },
    });
  });
  const run = await priced.client.ask('Work', { model: 'priced' });
  expect(
    await priced.client.finished(
      run.id,
      'cost usage { cachedTokens reasoningTokens } thread { usage { totalTokens } cost } steps { nodes { cost } }',
    ),
  ).toMatchObject({
    cost: '0.0000088',
    usage: { cachedTokens: 4, reasoningTokens: 2 },
    thread: { usage: { totalTokens: 15 }, cost: '0.0000088' },
    steps: { nodes: [{ cost: '0.0000088' }] },
  });
  const again = await priced.client.run({ threadId: run.thread.id, model: 'priced', messages: [{ text: 'More' }] });
  const free = await priced.client.run({ threadId: run.thread.id, model: 'unpriced', messages: [{ text: 'More' }] });
  await priced.client.finished(again.id);
  expect(await priced.client.finished(free.id, 'cost thread { cost usage { totalTokens } }')).toMatchObject({
    cost: null,
    thread: { cost: '0.0000176', usage: { totalTokens: 45 } },
  });
  await rm(folder, { recursive: true });
});

test('a run reports its queue time, time to first token and tokens per second', async () => {
  const resume = Promise.withResolvers<void>();
  model.answers(async (respond) => {
    await respond.text('Slow');
    await resume.promise;
    await respond.text('ly.');
    await respond.end('stop', { prompt_tokens: 10, completion_tokens: 6, total_tokens: 16 });
  });
  const run = await app.client.ask('Go');
  await until(app.client.follow(run.id), ({ __typename }) => __typename === 'MessageDelta');
  const pausedAt = performance.now();
  await delay(60);
  const pausedMs = performance.now() - pausedAt;
  resume.resolve();
  const times = 'createdAt startedAt firstTokenAt endedAt queuedMs firstTokenMs tokensPerSecond';
  const ended = await app.client.finished(run.id, times);
  const at = (name: string) => Date.parse(ended[name]);
  expect(ended.queuedMs).toBe(at('startedAt') - at('createdAt'));
  expect(ended.firstTokenMs).toBe(at('firstTokenAt') - at('startedAt'));
  expect(ended.queuedMs).toBeGreaterThanOrEqual(0);
  expect(ended.firstTokenMs).toBeGreaterThanOrEqual(0);
  // The 6 tokens took longer than the pause, and less than the run. Times are rounded to 1 ms.
  const generationMs = 6000 / ended.tokensPerSecond;
  expect(generationMs).toBeGreaterThan(pausedMs - 2);
  expect(generationMs).toBeLessThan(at('endedAt') - at('startedAt') + 2);
});
