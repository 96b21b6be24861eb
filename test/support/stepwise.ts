import type { Client } from './client.ts';
import type { ModelServer } from './model-server.ts';

const call = (index: number, name: string, text: string) => ({
  index,
  id: `call${index}`,
  type: 'function',
  function: { name, arguments: text },
});

/** The functions that the stepwise model calls. */
export const stepwiseTools = [{ function: { name: 'one' } }, { function: { name: 'two' } }];

/** All complete texts of the stepwise model. */
export const stepwiseTexts = new Set([
  'First I think. ',
  'Wait, 请稍等 ⏳',
  '{"a":1}',
  '{"b":2}',
  'output of one',
  'output of two',
  'All done ✅',
]);

/**
 * Lets a model stream reasoning, text and two parallel calls, then answer. It sends each delta after `next` was called for
 * the one before.
 */
export function stepwise(model: ModelServer): { next: () => void } {
  const control = { next: () => {} };
  const step = () =>
    new Promise<void>((resolve) => {
      control.next = resolve;
    });
  model.answers(
    async (respond) => {
      for (const thought of ['First ', 'I ', 'think. ']) {
        await respond.delta({ role: 'assistant', reasoning_content: thought });
        await step();
      }
      for (const word of ['Wait, ', '请稍等 ', '⏳']) {
        await respond.text(word);
        await step();
      }
      await respond.delta({ tool_calls: [call(0, 'one', '{"a":')] });
      await step();
      await respond.delta({ tool_calls: [call(1, 'two', '{"b"')] });
      await step();
      await respond.delta({ tool_calls: [{ index: 0, function: { arguments: '1}' } }] });
      await step();
      await respond.delta({ tool_calls: [{ index: 1, function: { arguments: ':2}' } }] });
      await step();
      await respond.end('tool_calls');
    },
    async (respond) => {
      for (const word of ['All ', 'done ', '✅']) {
        await respond.text(word);
        await step();
      }
      await respond.end();
    },
  );
  return { next: () => control.next() };
}

/** Submits outputs for the calls of a parked run. */
export async function answerCalls(client: Client, runId: string): Promise<void> {
  const { requiredAction } = await client.finished(runId, 'requiredAction { toolCalls { id name } }');
  const outputs = requiredAction.toolCalls.map(({ id, name }: { id: string; name: string }) => ({
    toolCallId: id,
    output: `output of ${name}`,
  }));
  await client.mutate('submitToolOutputs', { runId, outputs }, 'run { id }');
}
