import { beforeAll, expect, test } from 'vitest';
import { LoopTurns } from '../support/loop-turns.ts';
import { useApp, useModel } from '../support/use-app.ts';

const model = useModel();
const app = useApp({ model });
const tools = [{ function: { name: 'look_up' } }];

function answerWithCalls(count: number): void {
  model.answers(
    async (respond) => {
      const chunk = (index: number) => ({
        id: 'x',
        choices: [
          {
            index: 0,
            delta: { tool_calls: [{ index, id: `call_${index}`, function: { name: 'look_up', arguments: '{}' } }] },
          },
        ],
      });
      for (let from = 0; from < count; from += 250) {
        const indexes = Array.from({ length: Math.min(250, count - from) }, (_, offset) => from + offset);
        await respond.raw(indexes.map((index) => `data: ${JSON.stringify(chunk(index))}\n\n`).join(''));
      }
      await respond.end('tool_calls');
    },
    async (respond) => {
      await respond.text('Fine.');
      await respond.end();
    },
  );
}

async function runWithCalls(count: number) {
  answerWithCalls(count);
  const run = await app.client.ask('Look up', { tools });
  const { requiredAction } = await app.client.finished(run.id, 'requiredAction { toolCalls { id } }');
  const outputs = requiredAction.toolCalls.map(({ id }: { id: string }) => ({ toolCallId: id, output: 'found' }));
  await app.client.mutate('submitToolOutputs', { runId: run.id, outputs }, 'run { id }');
  return { stored: outputs.length, ...(await app.client.finished(run.id)) };
}

// The first run compiles the code.
beforeAll(() => runWithCalls(3));

test.each([500, 10_000, 30_000])('%i calls in one answer do not hold the event loop', async (count) => {
  using turns = new LoopTurns();
  const run = await runWithCalls(count);
  expect(run).toMatchObject({ stored: 128, status: 'COMPLETED' });
  expect(turns.longestMs).toBeLessThan(250);
});
